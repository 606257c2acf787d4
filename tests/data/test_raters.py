import random
import subprocess
import sys
from datetime import timedelta
from statistics import mean

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data import raters
from data.labels import gathered
from data.raters import FLOOR, GENTLE, ItemLabel, Panel, Reliability, weigh
from data.weights import both, support
from tests.data.crowd import START, Member, crowd, labels_of, ratings
from tests.data.talk import ROOT


def weights(panel: Panel, kind: str) -> list[float]:
    return [found.weight for name, found in panel.raters.items() if name.startswith(kind)]


def of(rater: str, *values: bool, seconds: float = 60, item: str = "{}") -> list[ItemLabel]:
    return [
        ItemLabel(rater, item.format(i), value, START + timedelta(seconds=i * seconds))
        for i, value in enumerate(values)
    ]


@pytest.mark.simulation
@pytest.mark.parametrize("seed", [1, 13])
@pytest.mark.parametrize("concert", [True, False])
def test_a_brigade_loses_its_weight_and_honest_raters_keep_theirs(seed: int, concert: bool) -> None:
    said = ratings(crowd(), seed, items=120, concert=concert)
    panel = weigh(labels_of(said))
    assert panel.method.startswith("Dawid and Skene's model of 20 raters on ")
    assert mean(weights(panel, "honest")) > 0.9
    assert min(weights(panel, "honest")) > 0.5
    assert max(weights(panel, "brigade")) < FLOOR
    assert mean(weights(panel, "up") + weights(panel, "random")) < 0.6
    reasons = {found.reason for name, found in panel.raters.items() if name.startswith("brigade")}
    assert reasons == {"votes against the others"}
    # The purpose: more items are decided rightly than by counting heads.
    heads = decided = 0
    items = sorted({one.item for one in said})
    for item in items:
        mine = [one for one in said if one.item == item]
        heads += sum(1 if one.value == one.truth else -1 for one in mine) > 0
        decided += sum(panel.weight(one.member.name) * (1 if one.value == one.truth else -1) for one in mine) > 0
    assert decided > heads
    assert decided / len(items) > 0.8


@pytest.mark.simulation
@pytest.mark.parametrize(("honest", "trolls", "every"), [(12, 3, 1.0), (20, 4, 1.0), (6, 3, 1.0), (10, 6, 0.6)])
def test_regulars_are_not_taken_for_copies_of_each_other(honest: int, trolls: int, every: float) -> None:
    """Regulars rate nearly everything, so they share many items; a few passing trolls must not outweigh them."""
    for seed in range(3):
        draw = random.Random(seed)
        regulars = [Member(f"honest-{i}", "honest") for i in range(honest)]
        passing = [Member(f"brigade-{i}", "brigade", 0.95) for i in range(trolls)]
        truths = [draw.random() < 0.5 for _ in range(100)]
        found: list[ItemLabel] = []
        for member, items in [
            *((m, [i for i in range(100) if draw.random() < every]) for m in regulars),
            *((m, draw.sample(range(100), 8)) for m in passing),
        ]:
            for item in items:
                at = START + timedelta(minutes=len(found))
                found.append(ItemLabel(member.name, str(item), member.says(truths[item], draw), at))
        panel = weigh(found)
        assert mean(weights(panel, "honest")) > 0.9, seed
        assert mean(weights(panel, "brigade")) < 0.3, seed


@pytest.mark.simulation
def test_puppets_who_only_ever_go_together_are_one_voice() -> None:
    """Ten accounts of one person outnumber the honest raters on the same thirty answers, and still lose."""
    draw = random.Random(2)
    members = [Member(f"honest-{i}", "honest", 0.85) for i in range(9)]
    puppets = [Member(f"brigade-{i}", "brigade", 0.97) for i in range(10)]
    found: list[ItemLabel] = []
    for item in range(100):
        truth = draw.random() < 0.5
        for member in [*draw.sample(members, 5), *(puppets if item < 30 else [])]:
            at = START + timedelta(minutes=len(found))
            found.append(ItemLabel(member.name, str(item), member.says(truth, draw), at))
    names = sorted({event.rater for event in found})
    labels = gathered(
        names,
        np.array([names.index(event.rater) for event in found]),
        np.array([int(event.item) for event in found], dtype=np.uint64),
        np.array([event.value for event in found]),
        np.arange(len(found)),
    )
    voices = dict(zip(names, raters._voices(labels), strict=True))
    assert sum(voices[member.name] for member in puppets) == pytest.approx(1, abs=0.1)
    assert min(voices[member.name] for member in members) > 0.5
    panel = weigh(found)
    assert mean(weights(panel, "honest")) > 0.9
    assert max(weights(panel, "brigade")) < FLOOR
    # Each counted as a person, they would have been believed.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(raters, "_voices", lambda labels: np.ones(len(labels.names)))
        assert mean(weights(weigh(found), "brigade")) > 0.5


@pytest.mark.simulation
def test_an_answer_that_a_thousand_people_rated_is_weighed() -> None:
    """No number overflows, and it is fast: an algorithm quadratic in the raters of one answer took minutes."""
    found = [
        ItemLabel(f"r{i}", f"{item}", (i % 20 > 0) == (item % 2 == 0), START + timedelta(minutes=i * 30 + item))
        for i in range(1000)
        for item in range(25)
    ]
    panel = weigh(found)
    assert panel.weight("r1") == 1.0
    assert panel.weight("r0") < FLOOR


@pytest.mark.simulation
def test_a_rater_who_always_says_the_same_is_not_taken_for_an_expert() -> None:
    # If nine of ten answers are good, somebody who always votes up is right nine times of ten, and it means nothing.
    draw = random.Random(1)
    members = [Member(f"honest-{i}", "honest", 0.85) for i in range(8)] + [Member("up-8", "up")]
    found = []
    for item in range(150):
        truth = item % 10 > 1
        found += [
            ItemLabel(m.name, str(item), m.says(truth, draw), START + timedelta(minutes=len(found) + i))
            for i, m in enumerate(members)
        ]
    panel = weigh(found)
    assert panel.weight("up-8") < 0.4
    assert min(weights(panel, "honest")) > 0.8


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 8), st.booleans()), max_size=40))
def test_with_one_to_three_people_nobody_is_silenced(said: list[tuple[int, int, bool]]) -> None:
    panel = weigh(
        ItemLabel(f"r{who}", f"{item}", value, START + timedelta(minutes=i))
        for i, (who, item, value) in enumerate(said)
    )
    assert all(found.weight == 1 for found in panel.raters.values())


def test_without_anything_in_common_everybody_counts_in_full() -> None:
    found = [event for i in range(12) for event in of(f"r{i}", *[i % 2 == 0] * 9, item=f"{i}-{{}}")]
    panel = weigh(found)
    assert {one.weight for one in panel.raters.values()} == {1.0}
    assert {one.reason for one in panel.raters.values()} == {
        "too little in common with others to say: counts in full"
    }
    assert panel.method == "Too few answers have several raters in common for a model: agreement and caps decide."


def test_agreement_alone_lowers_a_weight_and_silences_nobody() -> None:
    values = [i % 2 == 0 for i in range(12)]
    found = [event for name in ("a", "b", "c", "d") for event in of(name, *values)]
    found += of("against", *(not value for value in values))
    panel = weigh(found)
    assert {panel.weight(name) for name in "abcd"} == {1.0}
    assert panel.raters["against"] == Reliability(GENTLE, 12, 12, "votes against the others")
    assert GENTLE >= FLOOR


def test_the_newest_rating_of_an_item_counts_once() -> None:
    again = [ItemLabel("ada", "same", i % 2 == 0, START + timedelta(minutes=i)) for i in range(9)]
    assert weigh(again).raters["ada"].ratings == 1
    base = labels_of(ratings(crowd(), 1, items=15))
    twice = base + [ItemLabel(e.rater, e.item, e.value, e.at + timedelta(days=9)) for e in base]
    assert weigh(twice).raters == weigh(base).raters


@pytest.mark.parametrize(
    ("count", "seconds", "weight"), [(10, 0, 1.0), (40, 60, 1.0), (40, 0, 0.25), (400, 0.01, 0.025)]
)
def test_a_burst_counts_for_what_can_be_read_in_it(count: int, seconds: float, weight: float) -> None:
    found = weigh(of("ada", *[True] * count, seconds=seconds)).raters["ada"]
    assert found.weight == pytest.approx(weight)
    assert ("came within seconds" in found.reason) is (weight < 1)


def test_a_burst_among_calm_ratings_costs_its_share() -> None:
    calm = of("ada", *[True] * 20)
    burst = [ItemLabel("ada", f"b{i}", True, START + timedelta(days=1)) for i in range(20)]
    assert weigh(calm + burst).weight("ada") == pytest.approx(0.75)


@pytest.mark.simulation
def test_weights_do_not_depend_on_the_order_of_the_events() -> None:
    found = labels_of(ratings(crowd(), 5, items=40))
    shuffled = random.Random(1).sample(found, len(found))
    one, other = weigh(found), weigh(shuffled)
    assert {n: r.weight for n, r in one.raters.items()} == pytest.approx(
        {n: r.weight for n, r in other.raters.items()}
    )


@pytest.mark.process
def test_weighing_raters_loads_nothing_heavy() -> None:
    program = "import sys, data.raters; print(sorted({'pandas', 'scipy', 'torch'} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True, timeout=240
    )
    assert done.stdout == "[]\n"


# -- rows -----------------------------------------------------------------------------------------------------------


def panel_of(**known: float) -> Panel:
    return Panel({name: Reliability(weight, 1, 1, "") for name, weight in known.items()}, "")


def test_a_rater_who_is_not_believed_decides_nothing() -> None:
    panel = panel_of(a=0.9, x=0.05, y=0.05, z=0.05)
    found = support(panel, ["a"], ["x", "y", "z"])
    assert (found.weight, dict(found.backing), found.problem) == (0.9, {"a": 0.9}, None)
    assert support(panel, ["x", "y", "z"], ["a"]).problem == "its raters are not reliable"
    assert support(panel, ["x"]).problem == "its raters are not reliable"


def test_disputed_rows_weigh_less_and_a_draw_weighs_nothing() -> None:
    panel = panel_of()
    assert support(panel, ["a"]).weight == 1
    assert support(panel, ["a", "b"], ["c"]).weight == pytest.approx(1 / 3)
    assert support(panel, ["a"], [], ["b"]).weight == pytest.approx(1 / 2)
    assert support(panel, ["a", "b"], ["c", "d"]).problem == "as many people or more said the opposite"
    weaker = both(support(panel, ["a", "b"], ["c"]), support(panel, ["d"]))
    assert weaker.weight == pytest.approx(1 / 3)
    assert set(weaker.backing) == {"a", "b", "d"}
