"""Where a base comes from: a folder, the hub's cache on this machine, or the hub itself where that is allowed."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from alignment.shelf.contents import small_files
from data.errors import BadInput

_HUB_ID = re.compile(r"[\w-][\w.-]*/[\w.-]+|[\w-][\w.-]*")


def _nothing(_: Sequence[str]) -> None:
    """A folder has its files already."""


@dataclass(frozen=True, slots=True)
class Source:
    """A model to be added. `folder` has its small files; `fetch` brings the named weights there, if they are not yet.

    `name` is a folder's path or a hub id, `revision` the hub's commit ("" for a folder), `sizes` are the bytes of all
    files that the model has.
    """

    name: str
    folder: Path
    revision: str
    sizes: Mapping[str, int]
    fetch: Callable[[Sequence[str]], object] = _nothing


def find(model: str, *, allow_download: bool = False, say: Callable[[str], None] = print) -> Source:
    """Find what `--model` names. Raises `BadInput`, which says what to do, if it is nowhere or may not be fetched."""
    folder = Path(model)
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise BadInput(f"{folder} holds no model: there is no config.json in it.")
        return Source(str(folder.resolve()), folder.resolve(), "", _sizes(folder))
    if folder.exists():
        raise BadInput(
            f"{folder} is a file, and --model takes a folder or a Hugging Face id. A GGUF goes with --gguf."
        )
    if not _HUB_ID.fullmatch(model) or model.endswith((".", "-")) or ".." in model:
        raise BadInput(f"There is no folder {model}.")
    return _from_hub(model, say) if allow_download else _from_cache(model)


def _sizes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in folder.iterdir() if path.is_file()}


def _from_cache(model: str) -> Source:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(model, local_files_only=True))
    except (LocalEntryNotFoundError, OSError, ValueError):
        raise BadInput(
            f"There is no folder {model}, and no model of that id in the Hugging Face cache. To fetch it from the "
            "hub, add --allow_download."
        ) from None
    if not (folder / "config.json").is_file():
        raise BadInput(f"The Hugging Face cache has {model} in parts only. To fetch the rest, add --allow_download.")
    return Source(model, folder, folder.name, _sizes(folder))


def _from_hub(model: str, say: Callable[[str], None]) -> Source:
    from huggingface_hub import HfApi, snapshot_download

    say(f"Looking at {model} on the hub ...")
    about = _asked(model, lambda: HfApi().model_info(model, files_metadata=True))
    sizes = {each.rfilename: int(each.size or 0) for each in about.siblings or () if "/" not in each.rfilename}
    if "config.json" not in sizes:
        raise BadInput(f"{model} holds no model for transformers: there is no config.json in it.")

    def fetch(names: Sequence[str]) -> Any:
        options: dict[str, Any] = {"revision": about.sha, "allow_patterns": list(names)}
        return _asked(model, lambda: snapshot_download(model, **options))

    return Source(model, Path(fetch(small_files(sizes))), str(about.sha), sizes, fetch)


def _asked(model: str, ask: Callable[[], Any]) -> Any:
    """What the hub answers. Its errors become sentences."""
    from huggingface_hub import errors

    try:
        return ask()
    except errors.GatedRepoError:
        _refuse(
            f"{model} asks everybody to accept its licence on its page of the hub. Do that, put a token of your "
            "account into HF_TOKEN, and run the same command again."
        )
    except errors.RepositoryNotFoundError:
        _refuse(f"There is no folder {model}, and the hub has no model of that id (or it is a private one).")
    except (errors.OfflineModeIsEnabled, errors.LocalEntryNotFoundError) as error:
        _refuse(f"{model} was not fetched: the hub cannot be reached ({_brief(error)}). Check the network.")
    except (errors.HfHubHTTPError, OSError) as error:
        _refuse(f"{model} was not fetched: {_brief(error)}. Run the same command again; what was fetched is kept.")
    except Exception as error:  # the hub's client lets the errors of its transport through
        if not type(error).__module__.startswith(("http", "requests", "hf_xet")):
            raise
        _refuse(f"{model} was not fetched: the hub cannot be reached ({_brief(error)}). Check the network.")


def _refuse(sentence: str) -> NoReturn:
    raise BadInput(sentence) from None


def _brief(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
