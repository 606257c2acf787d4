"""A base model without weights: base.json, a tokenizer of bytes and our ChatML template. And releases of it."""

import json
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from data.bases import BaseInfo
from data.chat import load_template, template_sha256
from data.release_manifest import ReleaseManifest
from data.releases import Release, Releases

CONTROL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")


def make_base(bases: Path, name: str = "toy", **more: object) -> BaseInfo:
    """Writes the folder of a base into a folder of bases."""
    folder = bases / name / "hf"
    folder.mkdir(parents=True)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={letter: at for at, letter in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(each, normalized=False) for each in CONTROL])
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {"bos_token": "<|im_start|>", "eos_token": {"content": "<|im_end|>"}, "pad_token": None}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    facts = {"context_length": 2048, "weights_sha256": "ab" * 32, "template_name": "chatml", **more}
    info = BaseInfo(alias=name, control=CONTROL, eos_token="<|im_end|>", **facts)  # type: ignore[arg-type]  # the facts of a base
    info.save(bases / name / "base.json")
    return info


def make_release_of(home: Path, base: BaseInfo, *, weights: str = "weights", kind: str = "adapter") -> Release:
    """A release on a base whose adapter holds only these words."""

    def build(folder: Path) -> ReleaseManifest:
        (folder / "adapter").mkdir()
        (folder / "adapter" / "adapter_config.json").write_text('{"r": 8}')
        (folder / "adapter" / "adapter_model.safetensors").write_text(weights)
        (folder / "adapter.gguf").write_text(f"GGUF of {weights}")
        return ReleaseManifest(
            base=base.alias,
            kind=kind,
            base_sha256=base.sha256,
            template_sha256=template_sha256(load_template(base.template_name)),
        )

    return Releases(home).create(build)
