"""The figures of a candidate and a champion that need no real model."""

import io

import pytest
from rich.console import Console

from alignment.evaluation.evidence import by_pairs
from alignment.evaluation.gate import decide
from alignment.evaluation.likelihood import Scores, gains
from alignment.evaluation.likelihood import scores as measured
from alignment.evaluation.subjects import base_of, subject
from alignment.evaluation.tables import table
from data.errors import BadInput
from data.rows import Row


def scores(*margins: float) -> Scores:
    return Scores(margins, margins, 2.0, 100)


def test_a_gain_is_the_candidates_margin_beyond_the_champions() -> None:
    assert gains(scores(1.0, -2.0), scores(-1.0, 3.0)) == [2.0, -5.0]


def test_figures_of_different_rows_are_not_compared() -> None:
    with pytest.raises(ValueError, match=r"shorter|longer"):
        gains(scores(1.0), scores(1.0, 2.0))


class Shifted:
    """Finds every token `shift` nats likelier than another model does, and differs in nothing else."""

    def __init__(self, shift: float) -> None:
        self.shift = shift

    def logprobs(self, prompts: object, completions: list[str]) -> list[tuple[float, int]]:
        return [(-0.5 * len(text) - len(text[0]) + self.shift * len(text), len(text)) for text in completions]


@pytest.mark.parametrize("shift", [-0.3, 0.01, 0.3])
def test_a_model_that_finds_all_text_likelier_or_less_likely_prefers_nothing(shift: float) -> None:
    """Without division by tokens this would decide every pair by length, for or against the same candidate."""
    prompt = [{"role": "user", "content": "q"}]
    pairs = [
        Row(
            "preference",
            {
                "prompt": [{**prompt[0], "content": f"question {number}"}],
                "chosen": [{"role": "assistant", "content": "short" * (1 + number % 3)}],
                "rejected": [{"role": "assistant", "content": "longer " * (2 + number % 5)}],
            },
        )
        for number in range(60)
    ]
    source = by_pairs(pairs, gains(measured(Shifted(shift), pairs, []), measured(Shifted(0.0), pairs, [])))
    assert source.win is not None
    assert source.win.ties == 60
    assert not decide(source.finding, source.name, []).promote


def test_the_table_says_how_many_pairs_moved_the_right_way() -> None:
    console = Console(file=io.StringIO(), width=120)
    console.print(table(scores(0.0, 0.0, 0.0, 0.0), scores(1.0, 2.0, 3.0, -1.0), ("base model", "candidate")))
    assert "75.0%" in console.file.getvalue()  # type: ignore[attr-defined]  # a StringIO


def test_a_subject_is_a_release_or_an_adapters_folder(tmp_path) -> None:
    base = subject("0", "smollm2-135m", tmp_path)
    assert (base.name, base.release) == ("base model", 0)
    adapter = tmp_path / "release 12"  # a name like a release's does not make it a release
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text('{"base_model_name_or_path": "its/own"}')
    found = subject(str(adapter), None, tmp_path)
    assert (found.release, found.base) == (None, "its/own")
    assert base_of("0", str(adapter)) == "its/own"
    assert base_of("0", "3") is None
    with pytest.raises(BadInput, match="There is no release 3"):
        subject("3", "smollm2-135m", tmp_path)
    with pytest.raises(BadInput, match="neither a release's number nor"):
        subject(str(tmp_path), "smollm2-135m", tmp_path)
