"""Which answers make a pair, and in which optimizer steps the pairs come."""

import pytest
import torch

from alignment.rl.drawn_pairs import DROPPED, EQUAL, arrange, best_and_worst, pair_up
from alignment.rl.samples import Sampled

pytestmark = pytest.mark.tiny


def sampled(answers, scores, ended=None):
    count = len(answers)
    return Sampled(
        [[{"role": "user", "content": "hello"}]] * count,
        ["text"] * count,
        [[1, 2]] * count,
        answers,
        torch.tensor(scores, dtype=torch.float64),
        torch.tensor(ended or [True] * count),
        torch.ones(count, 1),
    )


def test_the_best_answer_is_chosen_over_the_worst():
    answers = [[5], [6], [7], [8]]
    assert best_and_worst(answers, [0.5, 2.0, -1.0, 0.7], [True] * 4) == (1, 2)
    assert best_and_worst(answers, [2.0, 2.0, -1.0, -1.0], [True] * 4) == (0, 2)


def test_answers_that_score_alike_make_no_pair():
    assert best_and_worst([[5], [6]], [0.3, 0.3], [True, True]) == EQUAL
    assert best_and_worst([[5], [6]], [0.3, 0.3], [False, False]) == EQUAL
    # Rounding gave the same tokens two scores.
    assert best_and_worst([[5], [5]], [0.3, 0.3000001], [True, True]) == EQUAL
    assert best_and_worst([[5], [5], [6]], [0.3, 0.4, 0.3], [True] * 3) == EQUAL


def test_an_answer_that_was_cut_off_is_never_chosen():
    answers = [[5], [6], [7]]
    assert best_and_worst(answers, [0.5, 2.0, 0.1], [True, False, True]) == (0, 2)
    assert best_and_worst(answers, [0.5, 2.0, 0.1], [True, True, False]) == (1, 2)
    assert best_and_worst(answers, [0.5, 2.0, 0.1], [False, False, False]) == DROPPED
    assert best_and_worst(answers, [0.5, 2.0, 0.1], [False, False, True]) == DROPPED


def test_a_missing_end_costs_deviations_of_the_reward():
    answers, ended = [[5], [6], [7], [8]], [True, False, True, False]
    scores = [1.0, 1.5, 1.0, 3.5]
    found = pair_up(sampled(answers, scores, ended), 2, deviation=2.0, penalty=1.0)
    # 0.5 over 0.75 - 1; 0.5 is less than 1.75 - 1, and what beats it did not end.
    assert (found.pairs, found.equal, found.dropped) == ([(0, 1)], 0, 1)
    assert pair_up(sampled(answers, scores, ended), 2, deviation=2.0, penalty=0.0).pairs == []
    # Where scores hardly differ, 0.5 is much more than a deviation.
    assert pair_up(sampled(answers, scores, ended), 2, deviation=0.1, penalty=1.0).pairs == []


def test_what_a_draw_counts_and_logs():
    answers = [[5], [6, 9], [7], [7], [5, 9], [8, 9]]
    found = pair_up(sampled(answers, [1.0, 3.0, 2.0, 2.0, 0.0, 4.0]), 2, deviation=1.0, penalty=1.0)
    assert found.counts() == {"prompts": 3, "answers": 6, "pairs": 2, "equal": 1, "dropped": 0}
    assert found.rows() == [
        {"prompt_ids": [1, 2], "chosen_ids": [6, 9], "rejected_ids": [5]},
        {"prompt_ids": [1, 2], "chosen_ids": [8, 9], "rejected_ids": [5, 9]},
    ]
    figures = found.figures()
    assert (figures["reward"], figures["reward_chosen"], figures["reward_rejected"]) == (2.0, 3.5, 0.5)
    assert (figures["pairs"], figures["equal"], figures["length"]) == (
        pytest.approx(2 / 3),
        pytest.approx(1 / 3),
        1.5,
    )
    nothing = pair_up(sampled([[5], [5]], [1.0, 1.0]), 2, deviation=1.0, penalty=1.0)
    assert "reward_chosen" not in nothing.figures()


def columns(length, mark):
    return {"prompt_ids": [mark] * length, "chosen_ids": [mark], "rejected_ids": [mark]}


def test_pairs_come_again_where_they_are_few_and_every_offline_row_comes_once():
    pairs, rows = [columns(3, 1), columns(9, 2)], [columns(5, 3), columns(7, 4), columns(4, 5)]
    steps = arrange(pairs, rows, 5, 4, seed=0)
    assert [len(step) for step in steps] == [4, 4]
    marks = [each["chosen_ids"][0] for step in steps for each in step]
    assert [marks.count(mark) for mark in range(1, 6)] == [3, 2, 1, 1, 1]
    for step in steps:
        lengths = [len(each["prompt_ids"]) for each in step]
        assert lengths == sorted(lengths, reverse=True)
    assert steps == arrange(pairs, rows, 5, 4, seed=0)
    assert steps != arrange(pairs, rows, 5, 4, seed=1)
