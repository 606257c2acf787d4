"""The cap on how much of the weight of one kind of row each rater holds, for any number of heavy raters."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.raters import FLOOR, Panel, Reliability
from data.weights import HEADS, SHARE, Capped, capped

NAMES = st.integers(0, 8).map(str)
ROWS = st.lists(
    st.tuples(
        st.floats(0.01, 1),
        st.dictionaries(NAMES, st.floats(FLOOR, 1), min_size=1, max_size=4),
    ),
    min_size=1,
    max_size=40,
)
HEAVY = st.dictionaries(st.integers(0, 30).map(str), st.integers(1, 3000), min_size=1, max_size=30)
STANDINGS = st.dictionaries(st.integers(0, 30).map(str), st.sampled_from(["vouched", "borne out"]), max_size=30)


def panel(standings: dict[str, str], confirmed: int = 50) -> Panel:
    """A panel in which some raters have a standing; all others are known to nobody."""
    found = {
        name: Reliability(1.0, 60, 60, "", confirmed * (what == "borne out"), what == "vouched")
        for name, what in standings.items()
    }
    return Panel(found, "")


def of(totals: dict[str, int], standings: dict[str, str] | None = None, confirmed: int = 50) -> Capped:
    """The cap on rows of which everybody backs some alone."""
    rows = [(1.0, {name: 1.0}) for name, total in totals.items() for _ in range(total)]
    return capped(rows, panel(standings or {}, confirmed))


@given(ROWS)
def test_nobody_whom_nobody_knows_holds_more_than_a_head(rows: list[tuple[float, dict[str, float]]]) -> None:
    found = capped(rows, panel({}))
    everybody = {rater for _, backing in rows for rater in backing}
    assert found.shares == pytest.approx(dict.fromkeys(everybody, 1 / len(everybody)))
    assert min(found.weights) > 0
    assert sum(found.weights) <= sum(weight for weight, _ in rows) * (1 + 1e-9)
    alone: dict[str, float] = dict.fromkeys(everybody, 0.0)
    for weight, (_, backing) in zip(found.weights, rows, strict=True):
        if len(backing) == 1:
            alone[next(iter(backing))] += weight
    assert max(alone.values()) <= sum(found.weights) / len(everybody) * (1 + 1e-9)


@settings(deadline=None, max_examples=25)
@given(HEAVY, STANDINGS, st.integers(5, 500))
def test_the_cap_holds_for_any_totals_and_any_number_of_heavy_raters(
    totals: dict[str, int], standings: dict[str, str], confirmed: int
) -> None:
    found = of(totals, standings, confirmed)
    people, whole = len(totals), sum(found.weights)
    assert sum(found.shares.values()) == pytest.approx(1)
    unknown = [name for name in totals if name not in standings]
    assert sum(found.shares[name] for name in unknown) <= len(unknown) / people + 1e-9
    for name, share in found.shares.items():
        most = {"vouched": SHARE, "borne out": min(SHARE, HEADS / people)}.get(standings.get(name, ""), 0.0)
        assert share <= max(most, 1 / people) + 1e-9
    assert min(found.weights) > 0
    assert whole <= sum(totals.values()) * (1 + 1e-9)


@settings(deadline=None, max_examples=10)
@given(HEAVY, STANDINGS)
def test_the_order_of_the_rows_does_not_matter(totals: dict[str, int], standings: dict[str, str]) -> None:
    backwards = dict(reversed(totals.items()))
    assert of(totals, standings).shares == pytest.approx(of(backwards, standings).shares)


@pytest.mark.parametrize("accounts", [1, 2, 3])
def test_accounts_that_rate_questions_of_their_own_hold_their_heads_and_no_more(accounts: int) -> None:
    honest, hostile = [f"honest-{i}" for i in range(20)], [f"hostile-{i}" for i in range(accounts)]
    found = of(dict.fromkeys(honest, 20) | dict.fromkeys(hostile, 2000))
    assert sum(found.shares[name] for name in hostile) == pytest.approx(accounts / (20 + accounts))
    assert found.weights[:400] == [pytest.approx(found.weights[0])] * 400
    assert 1 <= found.weights[0] < 1.2  # four hundred honest rows are still worth four hundred rows


def test_what_others_bear_out_makes_room_for_half_as_many_rows_and_for_a_few_heads() -> None:
    totals = dict.fromkeys(map(str, range(20)), 20)
    known = dict.fromkeys(totals, "borne out")
    busy = of({**totals, "busy": 300}, {**known, "busy": "borne out"}, confirmed=30)
    # A head is S / 21, and thirty confirmed ratings make room for fifteen rows: S = 400 + S / 21 + 15.
    assert busy.shares["busy"] * 435.75 == pytest.approx(35.75)
    assert busy.weights[:400] == [pytest.approx(busy.weights[0])] * 400
    much = of({**totals, "busy": 300}, {**known, "busy": "borne out"}, confirmed=3000)
    assert much.shares["busy"] == pytest.approx(HEADS / 21)
    assert of({**totals, "busy": 300}, known).shares["busy"] == pytest.approx(1 / 21)
    vouched = of({**totals, "busy": 300}, {**known, "busy": "vouched"})
    assert vouched.shares["busy"] == pytest.approx(SHARE)


def test_people_whom_others_bear_out_lose_nothing_to_a_flood_or_to_somebody_new() -> None:
    totals = {str(i): 5 * i + 5 for i in range(12)}
    known = dict.fromkeys(totals, "borne out")
    for new in (1, 4000):
        found = of({**totals, "new": new}, known, confirmed=60)
        assert found.weights[: sum(totals.values())] == pytest.approx([1.0] * sum(totals.values()), rel=0.12)


def test_one_person_alone_and_rows_without_backing_keep_their_weights() -> None:
    assert of({"ada": 7}).weights == [1.0] * 7
    assert capped([(0.5, {"ada": 0.2}), (0.25, {"ada": 1.0})], panel({})).weights == [0.5, 0.25]
    assert capped([(2.0, {})], panel({})) == Capped([2.0], {})
    assert capped([], panel({})) == Capped([], {})
    # Rows without backing are the operator's own: they make no room for anybody.
    found = capped([(2.0, {})] * 100 + [(1.0, {"a": 1.0})] * 50 + [(1.0, {"b": 1.0})], panel({}))
    assert found.weights[:100] == [2.0] * 100
    assert found.shares == pytest.approx({"a": 0.5, "b": 0.5})


def test_somebody_heavy_who_backs_everybodys_rows_takes_nothing_from_them() -> None:
    draw = random.Random(1)
    honest = [str(i) for i in range(10)]
    rows = [(1.0, {draw.choice(honest): 1.0, "echo": 1.0}) for _ in range(200)] + [(1.0, {"echo": 1.0})] * 800
    found = capped(rows, panel(dict.fromkeys(honest, "borne out")))
    assert found.shares["echo"] <= 1 / 11 + 1e-9
    assert math.fsum(found.weights[:200]) > 0.9 * 200
