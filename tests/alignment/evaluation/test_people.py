"""Votes by person: one voice each, however many votes."""

import math

import numpy as np
import pytest

from alignment.evaluation.people import NOBODY, Judged, Standing, counted, find
from alignment.evaluation.winrate import Comparison


def vote(prompt: object, score: float, rater: str = "") -> Comparison:
    return Comparison(str(prompt), score, 10, 10, rater)


def crowd(people: int, each: int, score: float = 0.5) -> list[Comparison]:
    return [vote(f"{n}-{m}", score, f"r{m}") for n in range(each) for m in range(people)]


def test_somebody_with_two_thousand_votes_has_one_voice() -> None:
    flood = [vote(f"flood {n}", 1.0, "evil") for n in range(2000)]
    for votes in (crowd(20, 20, 0.0) + flood, flood + crowd(20, 20, 0.0)):
        found = find(votes)
        assert found.voices == 21
        assert found.mean <= 1 / 21 + 1e-9
    assert find(crowd(20, 20, 0.5) + flood).mean == pytest.approx(0.5 + 0.5 / 21)


def test_k_people_of_whom_nothing_is_known_have_at_most_their_share_of_heads() -> None:
    for each in (1, 3, 20):
        votes = crowd(6, each, 0.0) + [vote(f"e{n}", 1.0, f"evil{n % 3}") for n in range(600)]
        assert find(votes).mean <= 3 / 9 + 1e-9


def test_the_votes_that_count_in_the_e_process_are_balanced_and_wait_for_others() -> None:
    flood = [vote(f"flood {n}", 1.0, "evil") for n in range(100)]
    alone = counted(flood)
    assert [index for index, _ in alone] == [0, 1, 2, 3, 4]
    both = flood + crowd(9, 10)
    taken = counted(both)
    assert taken[:5] == alone  # what has counted once stays
    names = [both[index].rater for index, _ in taken]
    assert 10 <= names.count("evil") <= 16
    assert len(taken) - names.count("evil") == 90
    assert all(now >= index for index, now in taken)
    trusted = Standing(borne_out={"evil"})
    assert sum(both[index].rater == "evil" for index, _ in counted(both, trusted)) == 100


def test_which_votes_count_does_not_depend_on_what_they_say() -> None:
    draw = np.random.default_rng(0)
    who = draw.choice(5, 200, p=[0.6, 0.1, 0.1, 0.1, 0.1])
    one, other = (
        [vote(n, float(score), f"r{who[n]}") for n, score in enumerate(draw.random(200) < 0.5)] for _ in range(2)
    )
    assert counted(one) == counted(other)


def test_a_prompt_counts_once_in_the_e_process_and_for_each_person() -> None:
    votes = [vote("same", 1.0, f"r{n}") for n in range(8)]
    found = find(votes)
    assert (found.votes, found.voices, found.prompts, found.comparisons) == (1, 8, 1, 8)


def test_a_vote_without_a_rater_is_a_voice_of_its_own() -> None:
    found = find([vote(n, float(n % 4 > 0)) for n in range(40)])
    assert (found.voices, found.people, found.aside, found.others) == (40, 0, 0, 40)
    assert found.mean == pytest.approx(0.75)
    assert found.differ == 0


def test_people_who_agree_by_chance_are_not_more_certain_than_their_votes() -> None:
    found = find(crowd(6, 4, 1.0))
    assert found.spread > 0
    low, high = found.ends(0.025)
    assert 0.5 < low < found.mean <= high <= 1


def test_the_three_most_in_favour_are_set_aside_unless_the_operator_vouches_for_them() -> None:
    votes = crowd(6, 10, 0.4) + [vote(f"e{n}", 1.0, f"e{n % 3}") for n in range(30)]
    found = find(votes)
    assert (found.aside, found.others) == (3, 6)
    assert found.rest < 0 < found.lead
    assert found.rest_votes == 60
    vouched = find(votes, Standing(vouched={"e0", "e1", "e2"}))
    assert (vouched.aside, vouched.others) == (3, 6)
    assert vouched.rest > found.rest
    three = find(votes[60:], Standing(vouched={"e0", "e1", "e2"}))
    assert (three.aside, three.others, three.rest_votes) == (0, 3, 30)


def test_people_who_differ_are_noticed() -> None:
    votes = [vote(f"{n}-{m}", 1.0 if m < 3 else float(n % 2), f"r{m}") for n in range(20) for m in range(9)]
    assert find(votes).differ > 0.99
    draw = np.random.default_rng(1)
    alike = [
        find([vote(f"{n}-{m}", float(draw.random() < 0.6), f"r{m}") for n in range(20) for m in range(9)]).differ
        for _ in range(100)
    ]
    assert 0.4 < np.mean(alike) < 0.6


def test_an_unreliable_persons_voice_is_smaller() -> None:
    votes = crowd(9, 10, 0.5) + [vote(f"e{n}", 1.0, "e") for n in range(10)]
    assert find(votes, Standing(weights={"e": 0.1})).mean < find(votes, NOBODY).mean


def test_a_judge_takes_noise_out_of_the_votes() -> None:
    draw = np.random.default_rng(2)
    scores = (draw.random(200) < 0.6).astype(float)
    agreed = np.where(draw.random(200) < 0.75, scores, 1 - scores)
    votes = [vote(n, scores[n], f"r{n % 10}") for n in range(200)]
    unread = {f"u{n}": float(n % 20 < 11) for n in range(2000)}
    judged = Judged("judge", {str(n): float(agreed[n]) for n in range(200)} | unread, 0.75)
    plain, helped = find(votes), find(votes, judged=judged)
    assert 0.3 < helped.judge < 0.7
    assert helped.spread < plain.spread
    # A judge that has read nothing else than what people voted on adds nothing.
    known = {str(n): float(agreed[n]) for n in range(200)}
    assert find(votes, judged=Judged("judge", known, 0.75)).mean == pytest.approx(plain.mean)


def test_the_interval_of_one_voice_is_everything() -> None:
    found = find([vote("p", 1.0, "ada")])
    assert found.ends(0.025) == (0.0, 1.0)
    assert math.isfinite(found.capital)
