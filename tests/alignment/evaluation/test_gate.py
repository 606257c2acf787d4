"""The gate's decision, its sentences, and how often it errs."""

import json
import math
from dataclasses import asdict, replace

import numpy as np
import pytest

from alignment.evaluation.gate import SuitePair, Verdict, decide, power_of
from alignment.evaluation.people import Finding, Standing, find
from alignment.evaluation.suites import load_suites
from alignment.evaluation.winrate import Comparison
from data.error_budget import Stake, share
from data.releases import MINIMUM_PROMPTS


def votes(wins: int, losses: int, people: int = 10) -> list[Comparison]:
    """Votes of people in turn, each person with about the same share of wins, all along."""
    total, found = wins + losses, []
    for n in range(total):
        person, turn = n % people, n // people
        before, after = (math.floor((turn + more) * wins / total + person / people) for more in (0, 1))
        found.append(Comparison(f"p{n}", float(after - before), 10, 10, f"r{person}"))
    return found


def asked(finding: Finding | None, *suites: SuitePair, live: bool = True, stake: Stake | None = None) -> Verdict:
    return decide(finding, "people", suites, live=live, stake=stake or Stake())


BETTER = find(votes(75, 25))
MAYBE = find(votes(55, 45))
WORSE = find(votes(30, 70))


def suite(changes: list[float], margin: float = 0.1, name: str = "manners") -> SuitePair:
    champion = [0.5] * len(changes)
    return SuitePair(name, name.title(), "share", margin, tuple(champion), tuple(0.5 + change for change in changes))


def test_a_better_candidate_without_a_fall_is_promoted_with_figures() -> None:
    verdict = asked(BETTER, suite([0.0] * 20))
    assert verdict.promote
    assert not verdict.people
    assert "in 100 comparisons of 10 people on 100 prompts, the candidate wins 75 %" in verdict.reasons[0]
    assert "it takes once in 42" in verdict.reasons[0]
    assert "On none of 1 suites" in verdict.reasons[1]
    assert "Error spent on this candidate 3 %, on refused ones before it 0 %, of 5 % for all." in verdict.reasons[2]


def test_weak_evidence_is_refused_with_the_votes_that_are_lacking() -> None:
    verdict = asked(MAYBE)
    assert not verdict.promote
    assert verdict.undecided
    assert "A candidate that is no better looks this good at most once in" in verdict.reasons[0]
    assert "more votes on new prompts would do" in verdict.reasons[0]
    assert "more votes would not change that" in asked(WORSE).reasons[0]


def test_held_out_evidence_may_spend_less_than_live_votes() -> None:
    stake = Stake(2, 0.01, 0.03)
    assert asked(BETTER, live=True, stake=stake).error == pytest.approx(0.008)
    assert asked(BETTER, live=False, stake=stake).error == pytest.approx(0.002)
    assert "on refused ones before it 3 %" in asked(BETTER, stake=stake).reasons[-1]


def test_later_candidates_need_stronger_evidence() -> None:
    close = find(votes(66, 34))
    assert asked(close).promote
    assert not asked(close, stake=Stake(20, share(20), 0.046)).promote


def test_three_people_alone_promote_nothing_unless_the_operator_vouches_for_them() -> None:
    sure = votes(90, 0, people=3)
    verdict = asked(find(sure))
    assert not verdict.promote
    assert "without the 3 most in favour, 0 others with 0 votes remain" in verdict.reasons[0]
    assert "python -m data raters vouch NAME" in verdict.reasons[0]
    assert asked(find(sure, Standing(vouched={"r0", "r1", "r2"}))).promote


@pytest.mark.parametrize(("each", "promoted"), [(14, False), (15, True)])
def test_those_who_remain_without_the_three_must_have_cast_forty_five_votes(each: int, promoted: bool) -> None:
    verdict = asked(find(votes(6 * each, 0, people=6)))
    assert verdict.promote is promoted
    assert promoted or f"3 others with {3 * each} votes remain, and it takes 3 with 45" in verdict.reasons[0]


def test_three_who_always_vote_for_it_do_not_carry_those_who_do_not() -> None:
    honest = [Comparison(f"q{n}", float(n % 20 < 9), 10, 10, f"h{n % 6}") for n in range(120)]
    puppets = [Comparison(f"s{n}", 1.0, 10, 10, f"e{n % 3}") for n in range(60)]
    mixed = [each for pair in zip(honest, [*puppets, *puppets], strict=True) for each in pair][:180] + honest[90:]
    assert not asked(find(mixed)).promote


def test_a_fall_beyond_the_margin_is_refused_whatever_the_win_rate() -> None:
    verdict = asked(BETTER, suite([-0.3] * 20), suite([0.1] * 20, name="other"))
    assert not verdict.promote
    assert not verdict.undecided
    assert any("Manners" in reason and "worse by 0.3 share" in reason for reason in verdict.reasons)
    assert [change.worse for change in verdict.suites] == [True, False]


def test_a_fall_within_the_margin_or_an_uncertain_one_is_not_a_reason() -> None:
    unsure = [-1.0] * 3 + [1.0] * 2
    assert asked(BETTER, suite([-0.09] * 20), suite(unsure, name="unsure")).promote


def test_a_suites_power_follows_from_its_items_and_its_margin() -> None:
    many, few = (suite([0.1, -0.1] * count, margin=0.03) for count in (50, 4))
    assert power_of(many) > 0.99
    assert 0.2 < power_of(few, margins=2) < 0.4
    right = SuitePair("manners", "Manners", "share", 0.05, (1.0, 0.0) * 52, (1.0, 0.0) * 52)
    assert 0.9 < power_of(right) < 1  # a fall of four margins turns a fifth of the items
    assert asked(BETTER, many).suites[0].power == power_of(many)


def test_every_suite_of_a_full_round_sees_a_fall_of_four_margins() -> None:
    from tests.bench.gate import SUITES as SIMULATED
    from tests.bench.gate import suites

    sizes = {each.name: len(each.items) for each in load_suites()}
    assert sizes == {name: items for name, (items, *_) in SIMULATED.items()}
    draw = np.random.default_rng(0)
    for name in sizes:
        powers = [power_of(pair) for _ in range(50) for pair in suites(draw) if pair.name == name]
        assert np.mean(powers) > 0.8


def test_every_reason_is_given() -> None:
    falls = [suite([-0.3] * 20), suite([-0.4] * 20, name="other")]
    reasons = " ".join(asked(WORSE, *falls).reasons)
    for part in ("no better looks", "others do not prefer", "one voice a person", "Manners", "Other", "Error spent"):
        assert part in reasons


@pytest.mark.parametrize("prompts", [1, MINIMUM_PROMPTS - 1])
def test_too_few_prompts_are_refused_with_what_to_do(prompts: int) -> None:
    verdict = asked(find(votes(prompts, 0)))
    assert not verdict.promote
    assert verdict.undecided
    assert verdict.interval is None  # nothing is known yet
    assert f"Only {prompts} held-out prompts" in verdict.reasons[0]
    assert "Collect more" in verdict.reasons[0]


def test_without_evidence_people_decide() -> None:
    verdict = asked(None, suite([0.0] * 20))
    assert not verdict.promote
    assert verdict.people
    assert "people must decide" in verdict.reasons[0]


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_figures_that_are_not_finite_are_refused(broken: float) -> None:
    assert "not a finite number" in asked(replace(BETTER, lead=broken)).reasons[0]
    verdict = asked(BETTER, suite([0.0, broken]))
    assert not verdict.promote
    assert "Manners" in verdict.reasons[0]


def test_a_suite_with_other_items_for_each_model_is_refused() -> None:
    pair = SuitePair("manners", "Manners", "share", 0.1, (1.0, 1.0), (1.0,))
    assert "2 values of the champion and 1" in asked(BETTER, pair).reasons[0]


def test_only_a_candidate_with_nothing_against_it_is_undecided() -> None:
    assert asked(MAYBE).undecided
    assert asked(None).undecided
    assert not asked(BETTER).undecided  # it is promoted
    assert not asked(WORSE).undecided
    assert not asked(MAYBE, suite([-0.3] * 20)).undecided
    assert not asked(replace(MAYBE, capital=math.nan)).undecided
    assert not asked(None, suite([math.nan])).undecided


def test_a_verdict_names_nobody() -> None:
    assert "r3" not in json.dumps([asdict(asked(MAYBE)), asdict(MAYBE)])


@pytest.mark.simulation
def test_an_equal_model_is_seldom_promoted_and_a_better_one_mostly() -> None:
    """A small run of the simulation in `tests.bench.gate`, whose tables `docs/evaluation.md` shows."""
    from tests.bench.gate import Crowd, in_a_row, moments, puppets, suite_refusals

    draw = np.random.default_rng(5)
    assert in_a_row(8, draw, votes=200) <= 1 / 8
    assert np.median(moments(Crowd.of(10, 0.7), 30, draw, votes=150, every=3)) <= 100
    assert puppets(6, 0.4, 3, 20, draw, votes=150) == 0
    assert sum(suite_refusals(30, draw)) <= 4
    assert sum(suite_refusals(8, draw, fall="forgetting", margins=4)) == 8
