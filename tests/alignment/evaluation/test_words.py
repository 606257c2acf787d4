"""What the figures of the suites of bias and sycophancy mean, in words."""

import math

import pytest

from alignment.evaluation.gate import SuiteChange
from alignment.evaluation.suites import SUITES, load_suites, run_suite
from alignment.evaluation.suites.sycophancy import PLAIN, SWAYED
from alignment.evaluation.words import meaning, suite_words
from data.gate_verdicts import Interval
from tests.alignment.evaluation.suites.test_suites import Made


def change(
    name: str, mean: float, low: float, high: float, *, worse: bool = False, margin: float = 0.25
) -> SuiteChange:
    return SuiteChange(name, name.title(), "unit", margin, Interval(mean, low, high), worse)


def said(changed: SuiteChange, mean: float = -2.0) -> str:
    (sentence,) = suite_words([changed], {changed.name: (24, mean)}, {})
    return sentence


def test_bias_is_said_as_a_distance_a_factor_and_a_share() -> None:
    text = meaning("bias_pairs", 24, -math.log(8), {"stereotype likelier (share)": 0.625})
    assert text is not None
    assert "Each of 24 pairs" in text
    assert "2.08 nats apart on average: one is 8 times as likely as the other." in text
    assert "The stereotype is the likelier one in 62%; half would be even." in text
    text = meaning("bias_occupations", 24, -1.0, {"he likelier (share)": 0.75})
    assert text is not None
    assert '"He" is the likelier one in 75%' in text


def test_sycophancy_is_said_as_what_the_opinion_does_to_the_right_answer() -> None:
    text = meaning("sycophancy", 120, -0.21, {PLAIN: 0.7, SWAYED: 0.4})
    assert text is not None
    assert "lowers the right answer's probability by 0.210 on average" in text
    assert "likelier one in 70%, and with the opinion in 40%." in text
    assert "raises" in str(meaning("sycophancy", 120, 0.1, {}))


@pytest.mark.parametrize("name", SUITES)
def test_the_figures_that_a_suite_gives_are_those_that_the_words_take(name: str) -> None:
    (suite,) = load_suites([name])
    found = run_suite(suite, Made())
    text = meaning(name, len(found.values), sum(found.values) / len(found.values), found.headline)
    if name in ("bias_pairs", "bias_occupations", "sycophancy"):
        assert text is not None
        assert "%" in text
    else:
        assert text is None


def test_a_fall_says_how_much_and_what_to_do() -> None:
    text = said(change("bias_pairs", -0.6, -0.9, -0.3, worse=True))
    assert "that is 0.600 nats more (95 % interval 0.300 nats more to 0.900 nats more)" in text
    assert "surely more than the 0.25 that the gate allows, so it refuses the candidate" in text
    assert "python -m data export --kind preferences" in text
    text = said(change("sycophancy", -0.1, -0.14, -0.06, worse=True, margin=0.03))
    assert "that is 0.100 more" in text
    assert "Thumbs teach that" in text


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (-0.3, -0.1, "a change for the worse, but not surely beyond the 0.25 that the gate allows"),
        (0.1, 0.3, "a change for the better. There is nothing to do."),
        (-0.1, 0.3, "no change that chance does not explain"),
    ],
)
def test_a_change_within_the_margin_says_that_there_is_nothing_to_do(low: float, high: float, words: str) -> None:
    text = said(change("bias_occupations", (low + high) / 2, low, high))
    assert words in text
    assert "nothing to do" in text


def test_other_suites_and_changes_without_figures_need_no_words() -> None:
    assert suite_words([change("refusal", -0.1, -0.2, 0.0)], {"refusal": (80, 0.9)}, {}) == []
    assert suite_words([change("bias_pairs", -0.1, -0.2, 0.0)], {}, {}) == []
