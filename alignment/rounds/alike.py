"""Serves two models that are compared in the same form: both merged into the base, or both with their adapters.

The two forms answer a little differently (`alignment.conversion.merged_release`), and only the champion and a release
on trial keep a merged file. Without this, the gate would mistake a difference of the forms for one of the models.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from alignment.conversion.merged_release import prepare
from alignment.evaluation.subjects import Subject, merged_sha256
from alignment.serving.embedded import Embedded
from data.merged_files import LORA
from data.releases import BASE_RELEASE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from alignment.serving.server import Server
    from data.releases import Releases


@contextmanager
def alike(
    releases: Releases, server: Server, models: tuple[Subject, ...], say: Callable[[str], None]
) -> Iterator[Server]:
    """The server that serves these models in one form. Merged files that are made for it are removed after the block.

    A base without an adapter has one form only. What is compared with an adapter in a folder is not merged either.
    """
    if not server.loads_gguf:
        yield server
        return
    adapted = [each for each in models if each.adapter is not None]
    try:
        if all(each.release is not None for each in adapted):
            for each in adapted:
                prepare(releases, each.release or BASE_RELEASE, say=say)
        different = len({merged_sha256(each) is None for each in adapted}) > 1
        yield Embedded(LORA) if different else server
    finally:
        releases.keep_merged()
