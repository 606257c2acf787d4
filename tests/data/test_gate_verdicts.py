"""A manifest is a file that people can change: what is not a figure in it is left out, and nothing raises."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.gate_verdicts import GateVerdict, Interval, gate_verdict
from data.release_manifest import ReleaseManifest
from data.releases import Release

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "figures",
                    "verdict",
                    "interval",
                    "mean",
                    "low",
                    "high",
                    "promote",
                    "reasons",
                    "parents",
                    "suites",
                    "worse",
                    "lengths",
                ]
            ),
            inner,
        )
    ),
    max_leaves=12,
)


def of(**manifest: Any) -> GateVerdict:
    return gate_verdict(Release(1, Path(), ReleaseManifest(base="smollm2-135m", **manifest)))


def test_what_a_round_wrote_is_read() -> None:
    verdict = {"promote": True, "interval": {"mean": 0.62, "low": 0.51, "high": 0.72}, "reasons": ["Better."]}
    found = of(figures={"verdict": verdict}, parents={"champion": 3})
    assert found == GateVerdict(True, Interval(0.62, 0.51, 0.72), ("Better.",), 3)
    assert of(figures={"verdict": {**verdict, "interval": None}}).win is None
    assert of() == GateVerdict()


@pytest.mark.parametrize(
    "interval",
    [
        {"mean": float("nan"), "low": 0.1, "high": 0.9},
        {"mean": 0.5, "low": 0.6, "high": 0.9},
        {"mean": 0.5, "low": 0.1},
        {"mean": True, "low": 0, "high": 1},
        {"mean": "0.5", "low": 0.1, "high": 0.9},
        {"mean": 0.5, "low": -0.1, "high": 1.1},
    ],
)
def test_anything_but_an_interval_is_read_as_none(interval: Any) -> None:
    assert of(figures={"verdict": {"promote": False, "interval": interval}}).win is None


def test_checks_and_lengths_are_read() -> None:
    suites = [{"name": "refusal", "worse": True}, {"name": "leakage", "worse": False}, "no suite"]
    found = of(figures={"verdict": {"suites": suites}, "lengths": [200.0, 150.0]})
    assert (found.checks, found.worse, found.length) == (2, 1, 0.75)


@pytest.mark.parametrize(
    "lengths", [None, [1.0], [0.0, 5.0], [-1.0, 5.0], [True, False], ["a", "b"], [1.0, float("nan")]]
)
def test_anything_but_two_lengths_is_read_as_none(lengths: Any) -> None:
    assert of(figures={"lengths": lengths}).length is None


@given(st.dictionaries(st.sampled_from(["figures", "parents"]), JSON))
def test_nothing_raises(manifest: dict[str, Any]) -> None:
    win = of(**manifest).win
    assert win is None or 0 <= win.low <= win.mean <= win.high <= 1
