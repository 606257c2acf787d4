"""`python -m alignment.evaluate`: its flags, its rows, its exit codes; answers as served; best-of-n."""

import hashlib
import json
from collections.abc import Sequence

import pytest

from alignment import evaluate as command
from alignment.evaluate import Subject
from alignment.evaluation.best_of import best_of
from alignment.evaluation.judged_model import JudgedModel
from alignment.evaluation.judges import RewardJudge
from alignment.serving.engine import Answer, PromptRefused, Served, sampling
from bot.settings import Settings
from data.chat import FREQUENCY_PENALTY, TEMPERATURE, TOP_P
from data.errors import BadInput, ParleyError
from tests.alignment import tiny
from tests.fakes.judge import FakeJudge

pytestmark = pytest.mark.tiny


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PARLEY_HOME", str(tmp_path / "home"))
    for name in ("URL", "MODEL", "API_KEY", "OUTSIDE"):
        monkeypatch.delenv(f"PARLEY_JUDGE_{name}", raising=False)
    return tmp_path


def words(*more: object) -> list[str]:
    return ["--candidate", "0", "--champion", "0", "--suites", "none", *map(str, more)]


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        (("--limit", -1), "--limit must be at least 0"),
        (("--max_tokens", 0), "--max_tokens must be at least 1"),
        (("--best_of", 4), "--best_of needs a reward model"),
        (("--best_of", 1), "--best_of must be at least 2"),
        (("--out", "nowhere/figures.json"), "there is no folder"),
        (("--suite_path", "truthfulness=x.csv"), "--suites none runs none"),
        (("--suites", "truthfullness"), "There is no suite 'truthfullness'.*Did you mean 'truthfulness'"),
        (("--suites", "truthfulness", "--suite_path", "truthfulness"), "expected SUITE=FILE"),
        (("--preferences", "none.jsonl"), "There is no file none.jsonl"),
        (("--candidate", "7"), "There is no release 7"),
    ],
)
def test_what_cannot_be_used_is_said_before_anything_is_loaded(place, flags, problem: str) -> None:
    with pytest.raises(BadInput, match=problem):
        command.main(words(*flags))


def test_a_judge_outside_is_refused_before_anything_is_loaded(place, monkeypatch) -> None:
    monkeypatch.setenv("PARLEY_JUDGE_URL", "https://judge.example.org/v1")
    monkeypatch.setenv("PARLEY_JUDGE_MODEL", "m")
    with pytest.raises(BadInput, match="PARLEY_JUDGE_OUTSIDE=1"):
        command.main(words())


def test_a_model_against_itself_is_not_promoted(place, capsys) -> None:
    base = tiny.build("llama", place / "base")
    rows = tiny.write(place / "pairs.jsonl", tiny.preferences(24))
    shown = tiny.write(place / "shown.jsonl", tiny.demonstrations(3))
    out = place / "figures.json"
    flags = ["--base", base, "--preferences", rows, "--demonstrations", shown, "--limit", 0, "--out", out]
    assert command.main(words(*flags)) == 1
    figures = json.loads(out.read_text())
    assert figures["decisive"]["name"] == "people, held-out pairs"
    assert figures["decisive"]["win"]["ties"] == 24
    assert figures["verdict"]["promote"] is False
    assert len(figures["scores"][0]["margins"]) == 24
    said = capsys.readouterr().out
    assert "the lower end is not above one half" in " ".join(said.split())
    assert "water fern" not in said + out.read_text()


def test_prompts_come_from_the_rows_that_are_given_and_the_limit_takes_a_fixed_part(place) -> None:
    pairs = tiny.write(place / "pairs.jsonl", tiny.preferences(6))
    shown = tiny.write(place / "shown.jsonl", tiny.demonstrations(3))

    def taken(*flags: object) -> list:
        options = command.parser().parse_args(words("--preferences", pairs, "--demonstrations", shown, *flags))
        return command._rows(options, Subject("x", "b"), Subject("y", "b")).prompts

    everything = taken()
    assert sorted(row.id for row in everything) == sorted(
        [*(f"preference-{n}" for n in range(6)), *(f"demonstration-{n}" for n in range(3))]
    )
    assert all(row.messages[-1]["role"] == "user" for row in everything)
    assert taken("--limit", 4) == everything[:4]
    only = tiny.write(place / "only.jsonl", tiny.preferences(2))
    assert len(taken("--prompts", only)) == 2


async def test_the_store_gives_each_fold_to_its_purpose(place) -> None:
    from data.imports import import_rows
    from data.rows import parse_row
    from data.store import Store

    rows = tiny.preferences(80)
    for number, row in enumerate(rows):  # alike, they would all be of one fold
        row["prompt"][0]["content"] = hashlib.sha256(str(number).encode()).hexdigest()
    store = await Store.open(place / "home")
    try:
        await import_rows(store, map(parse_row, rows))
    finally:
        await store.close()
    found = await command._stored(0, None)
    asked = {json.dumps(row.data) for row in found.preferences}
    assert asked
    assert found.judge_pairs
    assert not asked & {json.dumps(row.data) for row in found.judge_pairs}
    assert len(found.prompts) >= len(found.preferences)
    assert found.live == []


@pytest.mark.parametrize(
    ("name", "number"), [("base model", 0), ("release 12", 12), ("release of mine", None), ("out/adapter", None)]
)
def test_only_releases_have_been_met_live(name: str, number: int | None) -> None:
    assert command._number(Subject(name, "base")) == number


def test_an_answer_is_asked_for_as_serving_does() -> None:
    said: list[int] = []
    with FakeJudge(lambda _: "  an answer ") as fake:
        served = Served(fake.url, ("<|im_end|>",), sampling(), lambda: said.append(1))
        answer = Served.complete(served, [{"role": "user", "content": "Hi <|im_end|>"}], seed=7, max_tokens=33)
    assert answer == Answer("an answer", "stop")
    assert said == [1]
    body = fake.bodies[0]
    assert (body["temperature"], body["top_p"], body["frequency_penalty"]) == (TEMPERATURE, TOP_P, FREQUENCY_PENALTY)
    assert (body["seed"], body["max_tokens"]) == (7, 33)
    assert "<|im_end|>" not in body["messages"][0]["content"]


def test_answers_are_drawn_as_the_operator_has_the_bot_draw_them(monkeypatch: pytest.MonkeyPatch) -> None:
    bot = Settings()
    assert sampling() == {name: getattr(bot, name) for name in sampling()}
    for variable, value in (("PARLEY_TEMPERATURE", "0.9"), ("PARLEY_MAX_TOKENS", "77")):
        monkeypatch.setenv(variable, value)
    assert (sampling()["temperature"], sampling()["max_tokens"]) == (0.9, 77)
    for value in ("hot", "3", "-1", "nan"):
        monkeypatch.setenv("PARLEY_TEMPERATURE", value)
        with pytest.raises(BadInput, match="PARLEY_TEMPERATURE must be a number from 0 to 2"):
            sampling()


def test_no_proxy_gets_to_see_what_the_engine_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeJudge(lambda _: "a proxy's answer") as proxy, FakeJudge(lambda _: "the engine's") as fake:
        for variable in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(variable, proxy.url.removesuffix("/v1"))
        monkeypatch.delenv("no_proxy", raising=False)
        found = Served(fake.url, (), sampling()).complete([{"role": "user", "content": "a"}], seed=0)
        assert (found.text, proxy.bodies) == ("the engine's", [])


def test_a_prompt_that_the_engine_refuses_is_no_failure_and_a_failure_is_none() -> None:
    with FakeJudge(lambda question: 400 if question == "long" else "fine") as fake:
        model = JudgedModel(None, None, Served(fake.url, (), sampling()))
        prompts = [[{"role": "user", "content": text}] for text in ("short", "long", "short")]
        drawn = model.draw(prompts, [1, 2, 3], max_tokens=5)  # type: ignore[arg-type]
        assert [answer and answer.text for answer in drawn] == ["fine", None, "fine"]
        with pytest.raises(PromptRefused):
            model.served.complete(prompts[1], seed=0, max_tokens=5)  # type: ignore[union-attr, arg-type]
    with FakeJudge(lambda _: 500) as fake, pytest.raises(ParleyError, match="status 500"):
        Served(fake.url, (), sampling()).complete([{"role": "user", "content": "a"}], seed=0, max_tokens=5)
    with pytest.raises(ParleyError, match="broke off"):
        Served(fake.url, (), sampling()).complete([{"role": "user", "content": "a"}], seed=0, max_tokens=5)


class ByLength:
    """A reward model that likes long answers."""

    def score(self, prompts: Sequence, completions: Sequence[str]) -> list[float]:
        assert len(prompts) == len(completions)
        return [float(len(text)) for text in completions]


@pytest.fixture
def by_length(monkeypatch) -> None:
    monkeypatch.setattr("alignment.rewards.model.read_facts", lambda _: {})
    monkeypatch.setattr("alignment.rewards.model.load_reward_model", lambda _: ByLength())


@pytest.mark.usefixtures("by_length")
def test_best_of_n_takes_what_the_reward_model_likes_best(tmp_path) -> None:
    class Model:
        def draw(self, prompts, seeds, *, max_tokens):
            assert len(set(seeds)) == len(seeds)
            return [
                None if prompt[0]["content"] == "long" and seed == 1 else Answer("x" * (seed + 1), "stop")
                for prompt, seed in zip(prompts, seeds, strict=True)
            ]

    prompts = [[{"role": "user", "content": text}] for text in ("short", "long")]
    first, second = best_of(Model(), tmp_path, prompts, 3)  # type: ignore[arg-type]
    assert first is not None
    assert first.answers == ("x", "xxx", "xxxxx")
    assert first.best == 2
    assert second is None


@pytest.mark.usefixtures("by_length")
def test_a_reward_judge_prefers_the_higher_reward(tmp_path) -> None:
    judge = RewardJudge(tmp_path)
    prompts = [[{"role": "user", "content": "Hi"}]] * 3
    assert judge.compare(prompts, ["aa", "a", "a"], ["a", "aa", "b"]) == [1.0, 0.0, 0.5]  # type: ignore[arg-type]
