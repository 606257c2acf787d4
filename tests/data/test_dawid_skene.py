"""Our model of Dawid and Skene finds what `crowd-kit`'s finds."""

import warnings

import numpy as np
import pytest

from data.dawid_skene import goodness
from data.labels import Floats, Labels, gathered

RATERS = 12


def drawn(seed: int, entries: int) -> Labels:
    """Labels by raters of every skill; the first always says yes, the second always no, and the last says nothing."""
    draw = np.random.default_rng(seed)
    rater, item = draw.integers(0, RATERS - 1, entries), draw.integers(0, entries // 4, entries)
    truth, skill = draw.random(entries) < 0.6, draw.random(RATERS)
    value = np.where(draw.random(entries) < skill[rater], truth[item], ~truth[item])
    value = (value | (rater == 0)) & (rater != 1)
    return gathered([str(each) for each in range(RATERS)], rater, item.astype(np.uint64), value, np.arange(entries))


def skills(seed: int) -> tuple[Floats, Floats]:
    draw = np.random.default_rng(seed)
    return draw.uniform(0.1, 0.9, RATERS), draw.uniform(0.1, 0.9, RATERS)


@pytest.mark.simulation
@pytest.mark.parametrize("seed", range(3))
def test_it_finds_what_crowd_kit_finds(seed: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pandas, about what crowd-kit calls
        import pandas  # type: ignore[import-untyped]  # it has no types
        from crowdkit.aggregation.classification.dawid_skene import DawidSkene

        labels, (right, wrong) = drawn(seed, 900), skills(seed)
        frame = pandas.DataFrame(
            {"task": labels.item, "worker": labels.rater, "label": labels.value.astype(np.int64)}
        )
        start = pandas.DataFrame(
            {0: np.concatenate([wrong, 1 - wrong]), 1: np.concatenate([1 - right, right])},
            index=pandas.MultiIndex.from_product([[0, 1], range(RATERS)], names=["label", "worker"]).swaplevel(),
        )
        model = DawidSkene(n_iter=50, initial_error_strategy="assign")
        theirs = model.fit_predict_proba(frame, initial_error=start)
    found = goodness(labels, right, wrong)
    assert 3 < len(model.loss_history_) <= 50
    assert found[theirs.index.to_numpy()] == pytest.approx(theirs[1].to_numpy(), abs=1e-9)
    assert 0.1 < found.mean() < 0.9


@pytest.mark.parametrize("said", [True, False])
def test_where_everybody_says_the_same_nothing_is_left_to_find(said: bool) -> None:
    labels = drawn(0, 300)
    same = Labels(labels.names, labels.rater, labels.item, np.full(len(labels.item), said))
    assert goodness(same, *skills(0)).tolist() == [float(said)] * labels.items


def test_without_labels_there_is_nothing() -> None:
    none = np.empty(0, dtype=np.int64)
    nothing = gathered([], none, none.astype(np.uint64), none.astype(np.bool_), none)
    assert goodness(nothing, np.empty(0), np.empty(0)).tolist() == []
