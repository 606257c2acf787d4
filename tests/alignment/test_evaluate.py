"""`python -m alignment.evaluate`: its flags, its rows, its exit codes."""

import json

import pytest

from alignment import evaluate as command
from data.errors import BadInput
from tests.alignment import tiny

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
def test_bad_input_is_reported_before_anything_is_loaded(place, flags, problem: str) -> None:
    with pytest.raises(BadInput, match=problem):
        command.main(words(*flags))


def test_an_outside_judge_is_refused_before_anything_is_loaded(place, monkeypatch) -> None:
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
    printed = capsys.readouterr().out
    assert "looks this good at most once in 1 trials" in " ".join(printed.split())
    assert "water fern" not in printed + out.read_text()


def test_prompts_come_from_the_rows_that_are_given_and_the_limit_takes_a_fixed_part(place) -> None:
    pairs = tiny.write(place / "pairs.jsonl", tiny.preferences(6))
    shown = tiny.write(place / "shown.jsonl", tiny.demonstrations(3))

    def taken(*flags: object) -> list:
        options = command.parser().parse_args(words("--preferences", pairs, "--demonstrations", shown, *flags))
        rows = command.given_rows(options)
        assert rows is not None
        return command.fixed_part(rows, options.limit)

    everything = taken()
    assert sorted(row.id for row in everything) == sorted(
        [*(f"preference-{n}" for n in range(6)), *(f"demonstration-{n}" for n in range(3))]
    )
    assert all(row.messages[-1]["role"] == "user" for row in everything)
    assert taken("--limit", 4) == everything[:4]
    only = tiny.write(place / "only.jsonl", tiny.preferences(2))
    assert len(taken("--prompts", only)) == 2
