"""Whether a release's files are those that were checked and released: each against its hash in the manifest."""

from collections.abc import Iterator

from data.errors import BadInput
from data.home import file_sha256
from data.merged_files import folder_of, merged_of, without
from data.releases import Release


def file_problems(release: Release) -> Iterator[str]:
    """A sentence for each file of a release that is missing or is not the one that its manifest pins."""
    yield from _merged_problems(release)
    pinned = dict(release.manifest.files)
    if (artefact := release.manifest.adapter_gguf_sha256) is not None:
        pinned[release.adapter_gguf.name] = artefact
    for name, wanted in sorted(pinned.items()):
        path = release.path / name
        what = f"Release {release.number}: {path}"
        advice = _again(release) if path == release.adapter_gguf else _put_back(release)
        try:
            found = file_sha256(path)
        except FileNotFoundError:
            yield f"{what} is missing. {advice}"
        except OSError as error:
            yield f"{what} cannot be read ({error.strerror}). Check the disk; if it stays so: {advice}"
        else:
            if found != wanted:
                yield f"{what} was changed or is damaged: it has not the hash in the manifest. {advice}"


def _merged_problems(release: Release) -> Iterator[str]:
    """The same for its merged file, if it has one now."""
    what, again = f"Release {release.number}:", without(folder_of(release.adapter_gguf))
    try:
        merged = merged_of(release.adapter_gguf)
        if merged and file_sha256(merged.path) != merged.manifest.sha256:
            yield f"{what} {merged.path} was changed or is damaged. {again}"
    except BadInput as error:
        yield f"{what} {error}"
    except OSError as error:
        yield f"{what} its merged file cannot be read ({(error.strerror or str(error)).lower()}). {again}"


def _again(release: Release) -> str:
    return (
        f"Make it again from the adapter with `python -m alignment.export --release {release.number}`, or serve "
        "another release (`python -m alignment.rollback`, or `python -m alignment.promote N`)."
    )


def _put_back(release: Release) -> str:
    return (
        f"Put {release.path} back from a backup, or serve another release (`python -m alignment.rollback`, or "
        "`python -m alignment.promote N`)."
    )
