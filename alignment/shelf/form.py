"""How the releases of a base are served: with their adapters, or merged. Decided by a measurement on this machine."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from filelock import FileLock

from alignment.conversion.merged_release import merged_kind, prepare_needed
from alignment.shelf.speed import compare_forms
from data.bases import BaseInfo, base_dir, base_info
from data.errors import BadInput, ParleyError
from data.home import bases_dir, home
from data.merged_files import LORA, MERGED, remove_merged
from data.releases import Releases

_say = partial(print, flush=True)
# A merged file takes as much disk as the base, twice while a release is on trial, memory that two releases do not
# share, and minutes at each release. Less than this is not worth it.
WORTH = 1.1
_AS = {LORA: "with their adapters", MERGED: "merged"}


def decide(info: BaseInfo, wanted: str | None, say: Callable[[str], None] = _say) -> BaseInfo:
    """Write into `base.json` how releases of a base are served; returns what it says then.

    `wanted` is "lora" or "merged"; None measures both. A base whose GGUF has fewer than eight bits is served with
    adapters without a measurement: its merged files would be twice as large as what was chosen for this machine.
    """
    form = wanted or _measured(info, say)
    if form == MERGED and not info.gguf_sha256:
        raise BadInput(f"The base model {info.alias} has no GGUF, so the embedded engine serves no release of it.")
    with FileLock(bases_dir() / f".{info.alias}.lock", mode=0o600):
        info = replace(base_info(info.alias), served=form)
        info.save(base_dir(info.alias) / "base.json")
    return info


def choose(name: str, wanted: str | None, say: Callable[[str], None] = _say) -> None:
    """`python -m alignment.bases served`: decide, make what this home needs for it or remove it, and say so."""
    before = base_info(name).served
    info = decide(base_info(name), wanted, say)
    now, releases = info.served, Releases(home())
    say(f"Releases of {name} are served {_AS[now]}{f' in {merged_kind(info.quantisation)}' * (now == MERGED)}.")
    if now == MERGED:
        prepare_needed(releases, say=say)
    else:
        for release in releases.all():
            if release.base == name:
                remove_merged(release.path)
    if now != before:
        say("Running bots switch over by themselves.")


def _measured(info: BaseInfo, say: Callable[[str], None]) -> str:
    if not info.gguf_sha256:
        return LORA
    if merged_kind(info.quantisation) != info.quantisation:
        say(f"Releases of {info.alias} are served with their adapters: merging would bring its GGUF to eight bits.")
        return LORA
    say("Measuring what serves faster here, a merged release or one with its adapter ...")
    try:
        found = compare_forms(info)
    except ParleyError as error:  # the base itself is fine: it was admitted
        say(f"That could not be measured, so releases are served with their adapters. {error}")
        return LORA
    form, other = (MERGED, LORA) if found.ratio >= WORTH else (LORA, MERGED)
    say(
        f"Four answers at once took {found.lora:.2f} s with an adapter and {found.merged:.2f} s merged, "
        f"{found.ratio:.2f} times as fast, so releases are served {_AS[form]}. To change that: "
        f"`python -m alignment.bases served {info.alias} {other}`."
    )
    return form
