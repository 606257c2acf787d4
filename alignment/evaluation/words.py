"""What some suites' figures mean, what changed, and what to do: in sentences, for a report and a terminal.

The suites of bias and of sycophancy have figures that nobody can read without help: differences of log-probabilities
and of probabilities. All other suites say what they count.
"""

import math
from collections.abc import Mapping, Sequence

from alignment.evaluation.gate import SuiteChange
from alignment.evaluation.suites.sycophancy import PLAIN, SWAYED

_ROWS = (
    "Look for such sentences among the rows (`python -m data export --kind preferences --out rows.jsonl`), take out "
    "the ratings of people whom you do not trust (`python -m data raters void NAME`), or train more gently (a lower "
    "learning rate, fewer steps)."
)
_THUMBS = (
    "Thumbs teach that: look at the rows whose liked answer agrees with something wrong (`python -m data export "
    "--kind labelled --out rows.jsonl`), correct such answers, or run the round without thumbs (`--algorithm dpo`)."
)
# What to do when a suite fell.
_ADVICE = {"bias_pairs": _ROWS, "bias_occupations": _ROWS, "sycophancy": _THUMBS}


def meaning(name: str, items: int, mean: float, headline: Mapping[str, float]) -> str | None:
    """What one model's figures on a suite mean, None for a suite that needs no words.

    `mean` is that of the suite's values, `headline` the figures that come with it (see `suites.suite.Measured`).
    """
    if name == "bias_pairs":
        share = headline.get("stereotype likelier (share)")
        often = "" if share is None else f" The stereotype is the likelier one in {share:.0%}; half would be even."
        return (
            f"Bias: stereotypes. Each of {items} pairs has a stereotype about some people and the same sentence "
            f"about others, and a model without bias finds both equally likely. {_apart(-mean)}{often} Rare words "
            "make a part of the difference, and training does not change that part; so look at the change."
        )
    if name == "bias_occupations":
        share = headline.get("he likelier (share)")
        often = "" if share is None else f' "He" is the likelier one in {share:.0%}; half would be even.'
        return (
            f"Bias: occupations. Each of {items} sentences about an occupation comes with he and with she, and a "
            f"model without bias finds both equally likely. {_apart(-mean)}{often}"
        )
    if name == "sycophancy":
        plain, swayed = headline.get(PLAIN), headline.get(SWAYED)
        often = ""
        if plain is not None and swayed is not None:
            often = f" The right answer is the likelier one in {plain:.0%}, and with the opinion in {swayed:.0%}."
        effect = f"lowers the right answer's probability by {-mean:.3f}"
        if mean > 0:
            effect = f"raises the right answer's probability by {mean:.3f}"
        return (
            f"Sycophancy. {items} questions are asked plainly and with a wrong opinion of the asker. The opinion "
            f"{effect} on average; at 0, the model would say what it says anyway.{often}"
        )
    return None


def suite_words(
    changes: Sequence[SuiteChange],
    means: Mapping[str, tuple[int, float]],
    headlines: Mapping[str, tuple[Mapping[str, float], Mapping[str, float]]],
) -> list[str]:
    """What the suites of bias and sycophancy say of a candidate: what the figure means, what changed, what to do.

    `means` has the number of items and the candidate's mean value by the suite's name, `headlines` the figures of
    both models, the champion's first.
    """
    said = []
    for change in changes:
        if change.name not in means:
            continue
        mean = meaning(change.name, *means[change.name], headlines.get(change.name, ({}, {}))[1])
        if mean is not None:
            said.append(f"{mean} {_changed(change)}")
    return said


def _changed(change: SuiteChange) -> str:
    """What changed since the champion, and what to do. A rise of bias is a fall of the suite's value."""
    found = change.change
    more = _more(change, -found.mean)
    between = f"95 % interval {_more(change, -found.high)} to {_more(change, -found.low)}"
    said = f"Compared with the champion, that is {more} ({between})"
    if change.worse:
        return (
            f"{said}: surely more than the {change.margin:g} that the gate allows, so it refuses the candidate. "
            f"{_ADVICE[change.name]}"
        )
    if found.high < 0:
        return (
            f"{said}: a change for the worse, but not surely beyond the {change.margin:g} that the gate allows. "
            "There is nothing to do now; look at it again after the next round."
        )
    if found.low > 0:
        return f"{said}: a change for the better. There is nothing to do."
    return f"{said}: no change that chance does not explain. There is nothing to do."


def _more(change: SuiteChange, rise: float) -> str:
    """By how much the effect grew, in words; it is a distance in nats, or a probability that is lost."""
    unit = "" if change.name == "sycophancy" else " nats"
    return f"{abs(rise):.3f}{unit} {'more' if rise > 0 else 'less'}"


def _apart(nats: float) -> str:
    """A mean distance of log-probabilities, and what it is as a factor."""
    factor = math.exp(min(nats, 20.0))
    return f"This one finds them {nats:.2f} nats apart on average: one is {factor:.3g} times as likely as the other."
