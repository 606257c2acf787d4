"""Who is borne out: people whose ratings others confirm, and no ring of accounts that confirm themselves."""

import random
from datetime import timedelta
from statistics import mean

import pytest

from data.raters import ItemLabel, Panel, weigh
from tests.data.crowd import START, Member, crowd, labels_of, ratings

HONEST = [Member(f"honest-{i}", "honest", 0.85) for i in range(12)]


def said(
    members: list[Member], items: range, each: int, seed: int = 1, name: str = "shared", truth: bool | None = None
) -> list[ItemLabel]:
    """Labels of items by some of these members each; `truth` is the truth of every item, None for a random one."""
    draw = random.Random(f"{seed}{name}")
    found = []
    for item in items:
        good = draw.random() < 0.5 if truth is None else truth
        for member in draw.sample(members, each):
            at = START + timedelta(minutes=len(found))
            found.append(ItemLabel(member.name, f"{name}-{item}", member.says(good, draw), at))
    return found


def confirmed(panel: Panel, kind: str) -> list[int]:
    return [found.confirmed for name, found in panel.raters.items() if name.startswith(kind)]


@pytest.mark.simulation
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("concert", [True, False])
def test_honest_people_who_rate_the_same_answers_bear_each_other_out(seed: int, concert: bool) -> None:
    panel = weigh(labels_of(ratings(crowd(), seed, items=120, concert=concert)))
    assert mean(count > 0 for count in confirmed(panel, "honest")) > 0.8
    assert mean(confirmed(panel, "honest")) > 10
    assert max(confirmed(panel, "brigade")) == 0
    assert not any(found.borne_out for found in panel.raters.values() if found.weight < 0.5)


def test_a_small_group_that_rates_everything_bears_itself_out() -> None:
    panel = weigh(said(HONEST[:5], range(30), each=5))
    assert min(confirmed(panel, "honest")) > 5


@pytest.mark.simulation
@pytest.mark.parametrize("each", [6, 3])
def test_a_ring_that_agrees_with_itself_on_questions_of_its_own_is_not_borne_out(each: int) -> None:
    ring = [Member(f"ring-{i}", "honest", 1.0) for i in range(6)]
    panel = weigh(said(HONEST, range(60), each=5) + said(ring, range(100), each=each, name="ring"))
    assert max(confirmed(panel, "ring")) == 0
    assert mean(count > 0 for count in confirmed(panel, "honest")) > 0.9


@pytest.mark.parametrize("each", [pytest.param(6, marks=pytest.mark.simulation), 3])
def test_a_ring_that_also_agrees_with_honest_people_gains_little_from_itself(each: int) -> None:
    ring = [Member(f"ring-{i}", "honest", 1.0) for i in range(6)]
    shared = said(HONEST + ring, range(60), each=6)
    for size in (20, 400):
        panel = weigh(shared + said(ring, range(size), each=each, name="ring"))
        for name in (member.name for member in ring):
            honest = sum(label.rater == name for label in shared)
            assert panel.raters[name].confirmed <= honest + 3 * 5


@pytest.mark.simulation
def test_a_flood_of_separate_questions_does_not_make_honest_people_look_like_one() -> None:
    shared = said(HONEST, range(60), each=5)
    flood = said([Member("flood", "honest")], range(3000), each=1, name="flood")
    pair = said([Member("pair-1", "honest"), Member("pair-2", "honest")], range(1000), each=2, name="pair")
    panel = weigh(shared + flood + pair)
    assert confirmed(panel, "honest") == confirmed(weigh(shared), "honest")
    assert panel.raters["flood"].confirmed == panel.raters["pair-1"].confirmed == 0


def test_a_ring_outvotes_nobody_who_only_corrects() -> None:
    """Three accounts are all who compare answers, and still three heads of twenty-three."""
    ring = [Member(f"ring-{i}", "honest", 1.0) for i in range(3)]
    labels = said(ring, range(50), each=3, name="ring")
    correctors = {f"corrector-{i}" for i in range(20)}
    assert max(confirmed(weigh(labels, people=correctors), "ring")) == 0
    # Among themselves they are a community like any other.
    assert weigh(labels).raters.keys() == {member.name for member in ring}


def test_people_who_agree_with_somebody_vouched_for_are_borne_out_where_there_is_no_majority() -> None:
    here, there = HONEST[:4], HONEST[4:9]
    labels = said(here, range(40), each=4, name="here") + said(there, range(40), each=3, name="there")
    strangers = {f"once-{i}" for i in range(30)}
    assert max(found.confirmed for found in weigh(labels, people=strangers).raters.values()) == 0
    panel = weigh(labels, people=strangers, vouched=["honest-0"])
    assert min(found.confirmed for name, found in panel.raters.items() if name in {m.name for m in here[1:]}) > 5
    assert max(found.confirmed for name, found in panel.raters.items() if name in {m.name for m in there}) == 0
    assert panel.raters["honest-0"].vouched
    assert panel.raters["honest-0"].reason == "an operator vouches for them"


@pytest.mark.simulation
def test_somebody_vouched_for_counts_in_full_even_without_a_rating() -> None:
    panel = weigh(labels_of(ratings(crowd(), 1, items=60)), vouched=["brigade-15", "unseen"])
    assert (panel.weight("brigade-15"), panel.weight("brigade-16"), panel.weight("unseen")) == (1.0, 0.0, 1.0)


def test_who_is_borne_out_does_not_depend_on_the_order() -> None:
    labels = said(HONEST, range(60), each=5)
    mixed = random.Random(1).sample(labels, len(labels))
    names = [member.name for member in HONEST]
    one, other = weigh(labels), weigh(mixed)
    assert [one.raters[name].confirmed for name in names] == [other.raters[name].confirmed for name in names]
