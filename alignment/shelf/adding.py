"""Adds a base: looks at the model, copies it, makes its GGUF, compares what both compute, and gives it its name.

Everything is written under a temporary name and renamed when it is complete, so a refusal or a kill leaves nothing
that could be taken for a base. What can be refused at once is refused first: the name, the type of the model, its
tokenizer, its template, the token ids. Then minutes of work follow: the weights, the GGUF, the log-probabilities.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from filelock import FileLock, Timeout

from alignment.conversion.admission import admit
from alignment.conversion.converter import VERSION
from alignment.conversion.gguf import QUANTISATIONS, convert
from alignment.conversion.pretokenizer import find_pretokenizer
from alignment.shelf.card import UNKNOWN, languages_of, licence_of
from alignment.shelf.contents import refuse_broken, small_files, tokenizer_files
from alignment.shelf.copying import amount, copy, refuse_full
from alignment.shelf.examining import Examined, examine
from alignment.shelf.form import decide
from alignment.shelf.own_gguf import quantisation_of
from alignment.shelf.source import Source, find
from data.base_files import refuse_damaged
from data.bases import BUNDLED, BaseInfo, is_name
from data.chat import engine_template, load_template, template_sha256
from data.errors import BadInput, nearest
from data.home import bases_dir, file_sha256, make_private, private_dir, sync_dir
from data.merged_files import MERGED
from data.unfinished import SUFFIX, remove_unfinished, unfinished_folder

_say = partial(print, flush=True)
_FRONTS = {
    "": "",
    "neighbours": " (two turns of one role in a row are joined)",
    "fold": " (system messages open the first question)",
}
_GIVEN = "given with --gguf"  # what base.json says of a GGUF that was not made here


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asks for. `gguf` is a file that is there already; without a `quantise` no GGUF is made.

    `form` says how releases are served; None measures it.
    """

    name: str
    model: str
    gguf: Path | None = None
    quantise: str | None = "q8_0"
    allow_download: bool = False
    form: str | None = None

    @property
    def served(self) -> bool:
        """Whether the base is to have a GGUF, so that the embedded engine serves it."""
        return self.gguf is not None or self.quantise is not None


def add(wanted: Wanted, say: Callable[[str], None] = _say) -> BaseInfo:
    """Add a base; returns what its `base.json` says.

    Raises `BadInput`, which says what to do, for a model that cannot be a base, and for a name that is taken.
    """
    refuse_name(wanted.name)
    parent = private_dir(bases_dir())
    try:
        with FileLock(parent / f".{wanted.name}.lock", mode=0o600, timeout=0):
            _refuse_taken(parent / wanted.name)
            info = _add(wanted, parent / wanted.name, say)
    except Timeout:
        raise BadInput(f"Another process is adding {wanted.name} right now. Wait for its end.") from None
    # The base is complete. If the measurement is interrupted, releases are served with their adapters.
    info = decide(info, wanted.form, say)
    _say_end(info, say)
    return info


def refuse_name(name: str) -> None:
    """Raise `BadInput` for a name that a base cannot be added under."""
    if name in BUNDLED:
        raise BadInput(
            f"{name} is the bundled base model, which is fetched by `make setup` (or `python -m data fetch {name}`). "
            "Choose another name for your own copy."
        )
    if not is_name(name):
        raise BadInput(
            f"{name!r} cannot be the name of a base. Take up to 64 letters, digits, dots, hyphens and underscores; "
            "the first is a letter or a digit."
        )


def _refuse_taken(folder: Path) -> None:
    if (folder / "base.json").is_file():
        raise BadInput(
            f"There is a base {folder.name} already. Choose another name, or remove it first: "
            f"`python -m alignment.bases remove {folder.name}`."
        )
    if folder.exists():
        raise BadInput(
            f"{folder} is there and is not a base: it has no base.json. Move it away, or take another name."
        )


def _add(wanted: Wanted, folder: Path, say: Callable[[str], None]) -> BaseInfo:
    for left in folder.parent.glob(f".*{SUFFIX}"):  # the shelf need not be in the home, where every start does this
        remove_unfinished(left)
    if wanted.quantise not in (None, *QUANTISATIONS):
        raise BadInput(
            f"There is no quantisation {wanted.quantise!r}.{nearest(str(wanted.quantise), QUANTISATIONS)} Take one "
            f"of {', '.join(QUANTISATIONS)}."
        )
    if wanted.form == MERGED and not wanted.served:
        raise BadInput("--served merged is for the embedded engine, which needs a GGUF: leave out --no_gguf.")
    if wanted.gguf is not None and not wanted.gguf.is_file():
        raise BadInput(f"There is no file {wanted.gguf} (--gguf).")
    source = find(wanted.model, allow_download=wanted.allow_download, say=say)
    found = examine(source, served=wanted.served)
    refuse_broken(source.folder, [name for name in found.weights if (source.folder / name).is_file()])
    _say_what(found, say)
    size = sum(source.sizes[name] for name in found.weights)
    made = _gguf_size(wanted, found, size)
    refuse_full(folder.parent, size + made)
    given = _own_quantisation(wanted, found)
    pre = None
    if wanted.served and wanted.gguf is None:
        pre = find_pretokenizer(source.folder, tokenizer=found.tokenizer, say=say)
    with unfinished_folder(folder) as staging:
        work = staging / folder.name
        private_dir(work / "hf")
        files = _take(source, found, work, size, say)
        gguf = work / "model.gguf"
        if wanted.gguf is not None:
            say(f"Copying {wanted.gguf} ({amount(made)}) ...")
            gguf_sha256, quantisation, converter = copy(wanted.gguf, gguf, say), given, _GIVEN
        elif wanted.quantise is not None:
            quantisation = convert(work / "hf", gguf, wanted.quantise, pre=pre, say=say)
            gguf_sha256, converter = file_sha256(gguf), VERSION
        else:
            gguf_sha256 = quantisation = converter = ""
        info = replace(
            _describe(folder.name, source, found, files, work),
            gguf_sha256=gguf_sha256,
            quantisation=quantisation,
            converter=converter,
        )
        info.save(work / "base.json")
        make_private(work)
        if wanted.served:
            admitted = admit(folder.name, staging, say=say)
            say(f"Admitted: {admitted}.")
            info = replace(
                info,
                nats=admitted.mean,
                probe_ids=admitted.probe_ids,
                probe_log_probs=admitted.probe_log_probs,
            )
            info.save(work / "base.json")
        _keep(work, folder)
    refuse_damaged(info)  # this notes how the files look, so that they are not read again at first use
    return info


def _take(source: Source, found: Examined, work: Path, size: int, say: Callable[[str], None]) -> dict[str, str]:
    """Copy the model's files and write its template; returns their hashes by path."""
    say(f"Taking the weights from {source.name} ({amount(size)}) ...")
    source.fetch(found.weights)
    refuse_broken(source.folder, found.weights)
    names = [*small_files(source.sizes), *found.weights]
    files = {f"hf/{name}": copy(source.folder / name, work / "hf" / name, say) for name in names}
    text = found.composed.text if found.composed else engine_template(load_template(found.template_name))
    (work / "template.jinja").write_bytes(text.encode())
    files["template.jinja"] = file_sha256(work / "template.jinja")
    return files


def _describe(name: str, source: Source, found: Examined, files: dict[str, str], work: Path) -> BaseInfo:
    licence = licence_of(work / "hf")
    template = str(found.tokenizer.chat_template)
    return BaseInfo(
        alias=name,
        control=found.control,
        template_name=found.template_name,
        context_length=found.context_length,
        eos_token=found.end_of_turn,
        source=source.name,
        revision=source.revision,
        licence=licence,
        architecture=found.architecture,
        weights_sha256=_together([files[f"hf/{each}"] for each in sorted(found.weights)]),
        config_sha256=files["hf/config.json"],
        tokenizer_sha256=_together([files[f"hf/{each}"] for each in tokenizer_files(source.sizes)]),
        template_sha256=template_sha256(template),
        thinks=bool(found.composed and found.composed.thinks),
        thinking_switch=found.composed.switch if found.composed else "",
        languages=languages_of(work / "hf"),
        files=files,
    )


def _together(hashes: list[str]) -> str:
    """One hash of several files, as `alignment.models.base_sha256` makes it."""
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()


def _keep(work: Path, folder: Path) -> None:
    """Give a complete base its name; it is on disk when this returns."""
    for path in [work, *work.rglob("*")]:
        sync_dir(path)  # a file's descriptor is synced the same way
    _refuse_taken(folder)
    work.rename(folder)
    sync_dir(folder.parent)


def _gguf_size(wanted: Wanted, found: Examined, weights: int) -> int:
    """About how many bytes the GGUF is going to have."""
    if wanted.gguf is not None:
        return wanted.gguf.stat().st_size
    return int(weights * _bits(wanted.quantise, found.bits) / found.bits) if wanted.quantise else 0


def _bits(kind: str, stored: int) -> float:
    """The bits of a weight of this kind, with the blocks' scales (`q8_0`: 8.5); `stored` for the precision it has."""
    if kind.startswith("q"):
        return int(kind[1]) + (0.5 if kind.endswith("_0") else 1.0)
    return float(kind.lstrip("bf")) if kind != "none" else stored


def _own_quantisation(wanted: Wanted, found: Examined) -> str:
    return "" if wanted.gguf is None else quantisation_of(wanted.gguf, found.architecture, found.layers)


def _say_what(found: Examined, say: Callable[[str], None]) -> None:
    template = "its own chat template" if found.composed else f"our chat template {found.template_name!r}"
    front = _FRONTS[found.composed.front if found.composed else ""]
    thinks = " It thinks before it answers; that is switched off." if found.composed and found.composed.thinks else ""
    say(
        f"A model of the type {found.architecture}: {found.context_length:,} tokens of context, {template}{front}, "
        f"turns end with {found.end_of_turn}.{thinks}"
    )


def _say_end(info: BaseInfo, say: Callable[[str], None]) -> None:
    if info.licence == UNKNOWN:
        say(
            "Neither its model card nor its configuration says under which licence it is. Find out before you serve "
            "it."
        )
    else:
        say(f"Its licence: {info.licence}.")
    if not info.gguf_sha256:
        say("It has no GGUF, so the embedded engine does not serve it: set PARLEY_ENGINE_URL to a vLLM that does.")
    say(
        f"The base model {info.alias} is in place. A new home takes it with PARLEY_BASE={info.alias}; a home that "
        f"has another begins anew with `python -m alignment.bases switch {info.alias}`."
    )
