"""Suites: what a candidate must not get worse at, whatever it learnt. Each suite is one small file.

    suites = load_suites(["truthfulness", "forgetting"], {"truthfulness": Path("TruthfulQA.csv")})
    scores = [run_suite(suite, model) for suite in suites]

Every suite comes with the product's own small prompts in English and Chinese (`prompts/`) and takes a local file of
the public data instead. The product's own are too small to rank models; they show that nothing broke.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from alignment.evaluation.suites import (
    bias,
    degenerate,
    forgetting,
    instructions,
    leakage,
    refusals,
    sycophancy,
    truthfulness,
)
from alignment.evaluation.suites.canaries import Canary
from alignment.evaluation.suites.suite import (
    Measured,
    Model,
    Suite,
    SuiteScores,
    fingerprint,
    limited,
    run_suite,
)
from data.errors import BadInput, nearest

__all__ = [
    "SUITES",
    "Measured",
    "Model",
    "Suite",
    "SuiteScores",
    "fingerprint",
    "limited",
    "load_suites",
    "run_suite",
]

# What loads each suite: from the product's own items, or from a local file.
SUITES: dict[str, Callable[[Path | None], Suite]] = {
    "instructions": instructions.load,
    "truthfulness": truthfulness.load,
    "sycophancy": sycophancy.load,
    "over_refusal": refusals.load_over_refusal,
    "refusal": refusals.load_refusal,
    "bias_pairs": bias.load_pairs,
    "bias_occupations": bias.load_occupations,
    "forgetting": forgetting.load,
    "leakage": leakage.load,
    "degenerate": degenerate.load,
}


def load_suites(
    names: Sequence[str] | None = None,
    paths: Mapping[str, Path] | None = None,
    *,
    canaries: Sequence[Canary] | None = None,
) -> list[Suite]:
    """Load suites by name (all of them without names), in the order of `SUITES`.

    `paths` gives a local file or folder for a suite. `canaries` are the planted ones. If there are none, the suite
    `leakage` is left out, because it would measure only chance; None means unknown, and the suite uses its own.
    Raises `BadInput` for a name that is not a suite's and for a file that cannot be used.
    """
    given = dict(paths or {})
    for name in [*(names or ()), *given]:
        if name not in SUITES:
            raise BadInput(f"There is no suite {name!r}; there are {', '.join(SUITES)}.{nearest(name, SUITES)}")
    wanted = SUITES if names is None else [name for name in SUITES if name in names]
    for name in given:
        if name not in wanted:
            raise BadInput(f"A path is given for the suite {name!r}, which is not among those to run.")
    loaded = []
    for name in wanted:
        if name == "leakage" and canaries is not None and name not in given:
            loaded += [leakage.suite(canaries)] if canaries else []
            continue
        suite = SUITES[name](given.get(name))
        if not suite.items:
            raise BadInput(f"The suite {name} holds no items: {given.get(name, 'its prompts')} has none of its kind.")
        loaded.append(suite)
    return loaded
