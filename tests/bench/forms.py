"""A release of the bundled base in both forms, for measuring how fast they are served; none of it was trained.

How fast an engine is does not depend on an adapter's numbers. So the adapter is made up, as large as the recipes
train it, and the base's weights in eight bits stand for a merged file.
"""

from pathlib import Path

from alignment.conversion.gguf import convert
from alignment.conversion.merged import pre_tokenizer
from alignment.shelf.speed import made_up_adapter
from data.bases import DEFAULT_BASE, base_info, gguf_path
from data.home import file_sha256, private_dir
from data.merged_files import FOLDER, MergedManifest

_KIND = "q8_0"


def make_forms(folder: Path, model: Path, *, merged: bool) -> Path:
    """Write an adapter's GGUF into a folder, and a merged file beside it; returns the adapter's."""
    adapter = folder / "adapter.gguf"
    if not adapter.exists():
        made_up_adapter(gguf_path(DEFAULT_BASE), adapter)
    if merged and not (folder / FOLDER).exists():
        whole = private_dir(folder / FOLDER) / "model.gguf"
        convert(model, whole, _KIND, pre=pre_tokenizer(DEFAULT_BASE))
        MergedManifest(
            sha256=file_sha256(whole),
            adapter_gguf_sha256=file_sha256(adapter),
            base_sha256=base_info(DEFAULT_BASE).sha256,
            quantisation=_KIND,
        ).save(whole.parent / "manifest.json")
    return adapter
