"""vLLM as what a candidate is checked and measured on. It loads an adapter under a name of its own, by its own route.

An adapter is copied into the home's folder of the releases for as long as it is loaded, because that folder is the
one that vLLM can read, wherever it runs (`PARLEY_ENGINE_ADAPTERS`). Names are drawn, so that neither the bot nor
another measurement asks for the same one.
"""

from __future__ import annotations

import json
import secrets
import shutil
import urllib.error
from contextlib import contextmanager, suppress
from dataclasses import replace
from http.client import HTTPException
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from alignment.models import ADAPTER_CONFIG, ADAPTER_WEIGHTS, adapter_config
from alignment.serving.agreement import Agreement, agreement, difference, expected
from alignment.serving.engine import RunningEngine, sampling
from alignment.serving.gguf_lora import read_adapter
from alignment.serving.noise import WIDEST
from alignment.serving.passages import NotServable
from alignment.serving.prompt_log_probs import COMPARED, log_prob_tables
from alignment.serving.sleep import asleep, refuse_sleeping
from data.address import address
from data.asked_to_think import thoughtless
from data.bases import base_info, is_alias
from data.errors import BadInput, ParleyError
from data.home import home, private_dir, setting
from data.releases import Releases
from data.same_tokens import difference as tokens_difference
from data.same_tokens import trained_ids
from data.unfinished import remove_unfinished_of, unfinished_folder
from data.vllm import LOAD, UNLOAD, base_entry, base_problem, load_refused, message, seen_from

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from data.bases import BaseInfo

_MEASURED = "measured-"  # how the names begin under which adapters are loaded here


class Vllm:
    """Implements `alignment.serving.server.Server`. `engine` asks for the base alone."""

    loads_gguf = False

    def __init__(self, engine: RunningEngine) -> None:
        self._engine = engine
        self.name = f"vLLM at {engine.shown}"

    @contextmanager
    def serve(
        self,
        base: str,  # noqa: ARG002 - vLLM serves one base, which `found_vllm` checked
        adapter: Path | None,
        gguf: Path | None = None,  # noqa: ARG002 - vLLM loads the adapter as PEFT saves it
    ) -> Iterator[RunningEngine]:
        """See `Server.serve`."""
        if adapter is None:
            yield self._engine
            return
        with self._loaded(adapter, 1.0) as engine:
            yield engine

    def check(
        self,
        base: str,
        adapter: Path,
        gguf: Path | None = None,  # noqa: ARG002 - vLLM loads the adapter as PEFT saves it
    ) -> Agreement:
        """See `Server.check`. A copy with another scale is loaded for the probe."""
        read_adapter(adapter)
        wanted = expected(adapter, base, layers=False)
        with self._loaded(adapter, 1.0) as engine:
            served = log_prob_tables(engine, wanted.passages)
        probe = served
        if wanted.scale != 1:
            with self._loaded(adapter, wanted.scale) as engine:
                probe = log_prob_tables(engine, wanted.passages)
        plain = log_prob_tables(self._engine, wanted.passages)
        # vLLM does not tell in which precision it holds the weights.
        found = agreement(wanted, plain, served, probe, widest=WIDEST, tokens=COMPARED)
        if problem := difference(found):
            raise NotServable(f"{adapter} must not serve: {problem} ({found}).")
        return found

    @contextmanager
    def resting(self, say: Callable[[str], object]) -> Iterator[None]:
        """See `Server.resting`."""
        with asleep(self._engine, say):
            yield

    @contextmanager
    def _loaded(self, adapter: Path, scale: float) -> Iterator[RunningEngine]:
        """Load an adapter at a multiple of its own scale; it is taken out again after the block."""
        name = f"{_MEASURED}{secrets.token_hex(8)}"
        with _copied(adapter, scale) as folder:
            path = seen_from(folder, Releases(home()).folder, setting("PARLEY_ENGINE_ADAPTERS"))
            try:
                self._load(name, path)
                yield replace(self._engine, model=name)
            finally:  # after Ctrl-C while it loads, too
                with suppress(OSError, HTTPException):  # it ended, and so forgot its adapters
                    self._engine.post(UNLOAD, {"lora_name": name})

    def _load(self, name: str, path: str) -> None:
        try:
            self._engine.post(LOAD, {"lora_name": name, "lora_path": path})
        except urllib.error.HTTPError as error:
            text = error.read().decode(errors="replace")
            raise load_refused(self._engine.shown, error.code, text, "the candidate", path) from error
        except (OSError, HTTPException) as error:
            raise ParleyError(f"{self.name} broke off while it loaded an adapter: {error}") from error


def found_vllm(base: str) -> tuple[Vllm | None, str | None]:
    """The vLLM at PARLEY_ENGINE_URL; None if none there can serve this base, with a sentence why if one might.

    Raises `BadInput` for one that is asleep: it must be woken before anything else is decided.
    """
    url = setting("PARLEY_ENGINE_URL")
    if url is None or setting("PARLEY_ENGINE_MODEL") or setting("PARLEY_ENGINE_RELEASES") or not is_alias(base):
        return None, None
    place = address(url)
    info = base_info(base)
    engine = RunningEngine(
        place.url,
        info.control,
        sampling(),
        api_key=setting("PARLEY_ENGINE_API_KEY") or "",
        authorization=place.authorization,
        shown=place.shown,
        extra=_extra(info),
    )
    try:
        models = engine.get("/v1/models")["data"]
        entry = base_entry(models)
        if entry is None:
            return None, None
        engine = replace(engine, model=str(entry["id"]))
        refuse_sleeping(engine)
        problem = base_problem(entry, info) or _tokens(engine, info)
    except (OSError, HTTPException, ValueError, KeyError, TypeError, AttributeError) as error:
        return None, f"The engine at {place.shown} does not answer as vLLM does ({error})."
    problem = problem or _takes_none(engine)
    if problem:
        return None, f"vLLM at {place.shown} cannot serve {base}. {problem}"
    _take_out(engine, models)
    return Vllm(engine), None


def _take_out(engine: RunningEngine, models: Sequence[Mapping[str, Any]]) -> None:
    """Unload what a killed measurement of this home left loaded: its folder in the releases is gone."""
    releases = Releases(home()).folder
    remove_unfinished_of(releases / "measured")
    for each in models:
        root = str(each.get("root"))
        folder = releases / PurePosixPath(root).name
        own = root == seen_from(folder, releases, setting("PARLEY_ENGINE_ADAPTERS"))
        if str(each.get("id")).startswith(_MEASURED) and own and not folder.exists():
            with suppress(OSError, HTTPException):
                engine.post(UNLOAD, {"lora_name": each["id"]})


def _tokens(engine: RunningEngine, base: BaseInfo) -> str | None:
    """What is wrong with the token ids that it makes of messages."""
    arguments = engine.extra.get("chat_template_kwargs")
    more = {"chat_template_kwargs": arguments} if arguments else {}
    for messages, wanted in trained_ids(base):
        asked = {"model": engine.model, "messages": list(messages), "add_generation_prompt": True, **more}
        got = engine.post("/tokenize", asked)["tokens"]
        if problem := tokens_difference(got, wanted, engine.shown, base, arguments):
            return problem
    return None


def _takes_none(engine: RunningEngine) -> str | None:
    """Why it takes no adapters: asked to forget one that it never had, it must know the route."""
    try:
        engine.post(UNLOAD, {"lora_name": f"{_MEASURED}never"})
    except urllib.error.HTTPError as error:
        text = error.read().decode(errors="replace")
        return None if message(text) else str(load_refused(engine.shown, error.code, text, "releases", ""))
    except (OSError, HTTPException) as error:
        return f"It broke off: {error}."
    return None


def _extra(base: BaseInfo) -> dict[str, Any]:
    """What every request for an answer holds, as the bot's do. Raises `BadInput` unless the setting is an object."""
    try:
        found = json.loads(setting("PARLEY_ENGINE_EXTRA") or "{}")
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise BadInput('PARLEY_ENGINE_EXTRA is not a JSON object such as {"seed": null}.')
    return {**thoughtless(base), **found}


@contextmanager
def _copied(adapter: Path, scale: float) -> Iterator[Path]:
    """A copy of an adapter in the folder of the releases, with its scale multiplied."""
    target = private_dir(Releases(home()).folder) / "measured"
    remove_unfinished_of(target)
    with unfinished_folder(target) as folder:
        for name in (ADAPTER_CONFIG, ADAPTER_WEIGHTS):
            shutil.copyfile(adapter / name, folder / name)
        if scale != 1:
            config = adapter_config(adapter)
            config["lora_alpha"] *= scale
            config["alpha_pattern"] = {name: a * scale for name, a in (config.get("alpha_pattern") or {}).items()}
            (folder / ADAPTER_CONFIG).write_text(json.dumps(config), encoding="utf-8")
        yield folder
