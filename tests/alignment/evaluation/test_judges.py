"""Which judges count, by held-out pairs of people."""

from collections.abc import Callable, Sequence

import pytest

from alignment.evaluation.judges import MINIMUM_JUDGE_PAIRS, RewardJudge, qualify
from data.chat import Message
from data.errors import BadInput
from data.rows import Row


class Likes:
    """A judge that prefers by a function of the answer."""

    name = "judge"

    def __init__(self, value: Callable[[str], float], sees: Callable[[Row], bool] = lambda _: True) -> None:
        self.value, self.may_see = value, sees

    def compare(
        self, prompts: Sequence[Sequence[Message]], first: Sequence[str], second: Sequence[str]
    ) -> list[float]:
        pairs = [(self.value(a), self.value(b)) for a, b in zip(first, second, strict=True)]
        return [0.5 if a == b else float(a > b) for a, b in pairs]

    def remarks(self) -> str:
        return ""


def pairs(count: int, *, longer: float = 0.5, good: float = 1.0, **extra: object) -> list[Row]:
    """Preferences: a share `good` has "kind" in the chosen answer, and in a share `longer` that is the longer one."""
    rows = []
    for number in range(count):
        kind = number * 7 % count < good * count
        long = number < longer * count
        chosen = ("kind" if kind else "rude") + ("." * 40 if long else "")
        rejected = ("rude" if kind else "kind") + ("" if long else "." * 40)
        data = {
            "prompt": [{"role": "user", "content": f"Question {number}?"}],
            "chosen": [{"role": "assistant", "content": chosen}],
            "rejected": [{"role": "assistant", "content": rejected}],
        }
        rows.append(Row("preference", data, {"id": str(number), **extra}))
    return rows


kindness = Likes(lambda text: float("kind" in text))
length = Likes(len)
shortness = Likes(lambda text: -len(text))


def test_a_judge_that_agrees_with_people_counts() -> None:
    found = qualify(kindness, pairs(60, good=0.8))
    assert found.counts
    assert found.accuracy is not None
    assert found.accuracy.mean == pytest.approx(0.8)
    assert found.length_accuracy == pytest.approx(0.5)
    assert "agrees with people on 80% of 60" in found.sentence


@pytest.mark.parametrize("judge", [length, shortness])
def test_a_judge_that_measures_length_never_counts_however_often_it_is_right(judge: Likes) -> None:
    found = qualify(judge, pairs(100, longer=0.9 if judge is length else 0.1))
    assert found.accuracy is not None
    assert found.accuracy.low > 0.8
    assert found.length_accuracy == pytest.approx(0.9)  # of the better direction of length
    assert not found.counts
    assert "not surely above length" in found.sentence


def test_a_judge_must_beat_length_surely_and_not_by_luck() -> None:
    rows = pairs(100, longer=0.7, good=0.75)
    found = qualify(kindness, rows)
    assert found.accuracy is not None
    assert found.accuracy.mean > (found.length_accuracy or 1)
    assert not found.counts


def test_a_judge_that_guesses_does_not_count() -> None:
    found = qualify(kindness, pairs(100, good=0.5))
    assert not found.counts
    assert "one half" in found.sentence


def test_a_judge_that_favours_the_first_answer_gains_nothing() -> None:
    class First(Likes):
        def compare(self, prompts, first, second) -> list[float]:
            return [1.0] * len(first)

    found = qualify(First(len), pairs(60))
    assert found.accuracy is not None
    assert found.accuracy.mean == 0.5


def test_a_few_pairs_prove_nothing() -> None:
    found = qualify(kindness, pairs(MINIMUM_JUDGE_PAIRS - 1))
    assert not found.counts
    assert found.accuracy is None
    assert qualify(kindness, pairs(MINIMUM_JUDGE_PAIRS)).counts


def test_many_answers_to_one_question_are_one_question() -> None:
    rows = pairs(40, good=0.8)
    same = [Row(r.kind, {**r.data, "prompt": rows[0].messages}, r.extra) for r in rows]
    found = qualify(kindness, same)
    assert not found.counts
    assert "there are 1 prompts" in found.sentence


def test_rows_that_a_judge_may_not_see_are_held_back_and_counted() -> None:
    seen: list[str] = []
    outside = Likes(lambda text: seen.append(text) or float("kind" in text), lambda row: "outside_judge" in row.extra)  # type: ignore[func-returns-value]  # append returns None, so the rest counts
    found = qualify(outside, [*pairs(30, outside_judge=True), *pairs(5)])
    assert found.pairs == 30
    assert len(seen) == 60
    assert "5 pairs were held back" in found.sentence


@pytest.mark.tiny
def test_a_folder_without_a_reward_model_is_refused_at_once(tmp_path) -> None:
    with pytest.raises(BadInput, match="not a reward model"):
        RewardJudge(tmp_path)
