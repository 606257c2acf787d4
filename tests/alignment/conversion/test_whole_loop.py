"""The whole loop on a tiny GPT-2: a round, a trial, promotion, rollback, another base. All but the sizes is real."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import aclosing
from pathlib import Path

import pytest

from alignment import promote, release, rollback
from alignment import round as whole_round
from alignment.bases import main as bases
from alignment.conversion import merged
from alignment.export import main as export
from bot.engine.api import Engine, Finished, Sampling
from bot.engine.open import open_engine
from bot.engine.room import UNITS
from bot.engine.sharing import Board
from data.__main__ import main as data
from data.base_switch import switch
from data.errors import BadInput, NothingToDo
from data.home_base import mark_of
from data.releases import OtherBase, Releases
from data.rows import write_rows
from tests.test_loop import shortest

pytestmark = [pytest.mark.tiny, pytest.mark.process]

QUESTION = [{"role": "user", "content": "What is the capital of France?"}]
RECIPE = (
    "max_steps: 2\nlearning_rate: 0.01\nlora_r: 4\nper_device_train_batch_size: 4\nmax_length: 512\nbf16: false\n"
)


@pytest.fixture(scope="module")
def home(shelf: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home whose setting chose gpt2, with demonstrations, after one round. Its key, and so its folds, are fixed."""
    folder = tmp_path_factory.mktemp("loop")
    found = folder / "home"
    found.mkdir()
    (found / "key").write_bytes(b"the loop's test has a fixed key.")
    (folder / "sft.yaml").write_text(RECIPE)
    write_rows(folder / "rows.jsonl", shortest("demonstrations", 16))
    with pytest.MonkeyPatch.context() as patch:
        shelf(gpt2="q8_0", qwen2="f16")
        patch.setenv("PARLEY_HOME", str(found))
        patch.setenv("PARLEY_BASE", "gpt2")
        patch.setenv("PARLEY_ENGINE_GRACE", "0.1")
        patch.delenv("PARLEY_ENGINE_URL", raising=False)
        patch.setattr("sys.argv", ["data", "import", str(folder / "rows.jsonl")])
        assert data() == 0
        plan = ["--suites", "none", "--canaries", "0", "--max_demonstrations", "6"]
        assert whole_round.main([*plan, "--sft_config", str(folder / "sft.yaml")]) == 1  # people must decide
        patch.delenv("PARLEY_BASE")  # from here on the home knows
        yield found


async def answers(engine: Engine) -> tuple[int, str | None]:
    """The release that answers a question, and the base that it says it is."""
    async with engine.session() as session:
        async with aclosing(session.stream(QUESTION, Sampling(temperature=0, max_tokens=4))) as events:
            assert isinstance([event async for event in events][-1], Finished)
        return session.release, session.model


async def serves(engine: Engine, number: int, model: str | None) -> None:
    """Wait until this release answers; no question fails meanwhile."""
    async with asyncio.timeout(60):
        while await answers(engine) != (number, model):  # noqa: ASYNC110 - other processes set no event
            await asyncio.sleep(0.1)


def test_the_round_made_a_release_that_belongs_to_the_base_of_the_home(home: Path) -> None:
    (made,) = Releases(home).all()
    found = json.loads((home / "rounds" / "0001" / "manifest.json").read_text())
    assert (made.base, made.manifest.stages, found["base"], found["trial"]) == ("gpt2", ("sft",), "gpt2", 1)
    assert f"gpt2@{str(made.manifest.base_sha256)[:12]}" == mark_of(home)
    assert json.loads((made.adapter / "adapter_config.json").read_text())["base_model_name_or_path"] == "gpt2"
    agreement = found["export"]["agreement"]
    assert agreement["served"]["mean"] < 0.01 < agreement["served"]["effect"]


def test_the_same_adapter_is_not_released_twice(home: Path) -> None:
    with pytest.raises(NothingToDo, match="This very adapter is release 1 already"):
        release.main([str(home / "rounds" / "0001" / "sft")])
    with pytest.raises(BadInput, match=r"--base names the base model qwen2, and this home .* has gpt2"):
        release.main([str(home / "rounds" / "0001" / "sft"), "--base", "qwen2"])
    with pytest.raises(BadInput, match="holds no adapter"):
        release.main([str(home)])
    assert [path.name for path in (home / "releases").iterdir() if path.name.endswith(".unfinished")] == []


def test_a_running_bot_follows_promotion_rollback_and_another_base(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def typed(command: Callable[[], int], *words: str) -> None:
        monkeypatch.setattr("sys.argv", ["command", *words])
        assert command() == 0

    async def loop() -> None:
        gpt2 = mark_of(home)
        engine = await open_engine(home, context_length=256)
        try:
            assert await answers(engine) == (0, gpt2)
            candidate = await open_engine(home, release=1, context_length=256)  # as a trial opens it
            assert await answers(candidate) == (1, None)
            await candidate.close()
            await asyncio.to_thread(typed, promote.main, "1")
            await serves(engine, 1, None)
            await asyncio.to_thread(typed, rollback.main)
            await serves(engine, 0, gpt2)
            await asyncio.to_thread(switch, "qwen2")
            qwen2 = mark_of(home)
            assert qwen2 != gpt2
            await serves(engine, 0, qwen2)
            with pytest.raises(OtherBase, match="Release 1 belongs to the base model gpt2"):
                await open_engine(home, release=1)
            with pytest.raises(OtherBase):
                Releases(home).promote(1)
            await asyncio.to_thread(switch, "gpt2")
            await serves(engine, 0, gpt2)
        finally:
            await engine.close()

    asyncio.run(loop())


def test_a_running_bot_moves_to_the_merged_release_and_back(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    merged_file = home / "releases" / "0001" / "merged" / "model.gguf"

    async def key(engine: Engine, wanted: str) -> None:
        """Wait until the engine that answers is the one with this key; no question fails meanwhile."""
        async with asyncio.timeout(60):
            while (await answers(engine), list(Board(home).read())) != ((1, None), [wanted]):  # noqa: ASYNC110 - other processes set no event
                await asyncio.sleep(0.1)

    async def loop() -> None:
        monkeypatch.setattr("sys.argv", ["promote", "1"])
        assert await asyncio.to_thread(promote.main) == 0
        assert not merged_file.exists()
        engine = await open_engine(home, context_length=256)
        try:
            await key(engine, f"0001-of{UNITS}")
            assert await asyncio.to_thread(bases, ["served", "gpt2", "merged"]) == 0
            assert merged_file.is_file()
            await key(engine, f"0001-merged-of{UNITS}")
            assert await asyncio.to_thread(bases, ["served", "gpt2", "lora"]) == 0
            assert not merged_file.exists()
            await key(engine, f"0001-of{UNITS}")
        finally:
            await engine.close()

    asyncio.run(loop())
    monkeypatch.setattr("sys.argv", ["rollback"])
    assert rollback.main() == 0


def test_a_release_is_merged_into_a_whole_gguf(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The converter and the comparison have tests of their own, and take 12 s; here they are played."""
    seen: list[object] = []

    def convert(model: Path, out: Path, quantise: str, *, pre: str | None, say: object) -> str:
        seen.extend([(model / "model.safetensors").is_file(), quantise, pre])
        out.write_bytes(b"GGUF")
        return quantise

    def admit(name: str, bases: Path, *, say: object) -> str:
        info = json.loads((bases / name / "base.json").read_text())
        seen.extend([info["quantisation"], (bases / name / "template.jinja").is_file()])
        return "as trained"

    monkeypatch.setattr(merged, "convert", convert)
    monkeypatch.setattr(merged, "admit", admit)
    out = tmp_path / "whole.gguf"
    monkeypatch.setattr("sys.argv", ["export", "--release", "1", "--merge", str(out), "--gguf", "--quantise", "f16"])
    assert export() == 0
    assert seen == [True, "f16", "gpt-2", "f16", True]
    assert out.read_bytes() == b"GGUF"
    assert "It computes what was trained: as trained." in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["whole.gguf"]
    with pytest.raises(BadInput, match="exists already"):
        export()
