"""How good each release was: its win rate with the interval, as a picture, a chart of text, or words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from data.drawing import figure, png
from data.gate_verdicts import Interval, gate_verdict

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from bot.texts import Texts
    from data.releases import Release

SHOWN = 12  # the newest releases
_CELLS = 21  # in a line of the chart; an odd number, so that one half has its own cell


@dataclass(frozen=True, slots=True)
class ComparedRelease:
    """A release that was compared with the champion of its time: how often it won, and whether it ever served."""

    release: int
    win: Interval
    served: bool


def compared(releases: Sequence[Release], served: Collection[int]) -> list[ComparedRelease]:
    """The newest releases with a known win rate, oldest first. `served` holds the numbers of all former champions."""
    wins = [(release.number, gate_verdict(release).win) for release in releases]
    return [ComparedRelease(number, win, number in served) for number, win in wins if win][-SHOWN:]


def figures(win: Interval | None) -> str:
    """A win rate and its interval, as text that is the same in every language."""
    return f"{win.mean:.0%} ({win.low:.0%}–{win.high:.0%})" if win else "–"


def chart(found: Sequence[ComparedRelease]) -> str:
    """A line for each release, for a code block, where a picture cannot be drawn."""
    return "\n".join(f"{each.release:>4} {_bar(each)} {figures(each.win)}" for each in found)


def _bar(each: ComparedRelease) -> str:
    low, mean, high = (round(share * (_CELLS - 1)) for share in (each.win.low, each.win.mean, each.win.high))
    cells = ["━" if low <= cell <= high else " " for cell in range(_CELLS)]
    if cells[_CELLS // 2] == " ":
        cells[_CELLS // 2] = "┊"
    cells[mean] = "●" if each.served else "○"
    return "".join(cells)


def in_words(found: Sequence[ComparedRelease], texts: Texts) -> str:
    """What the picture shows, for people who cannot see it."""
    listed = ", ".join(f"{texts.of_release.format(release=each.release)}: {figures(each.win)}" for each in found)
    return texts.stats_picture.format(figures=listed)


def picture(found: Sequence[ComparedRelease]) -> bytes | None:
    """The same as a PNG; None if matplotlib is not installed. It takes a second, so call it in a thread.

    The picture holds no words, because its font has no Chinese characters.
    """
    try:
        made, (axes,) = figure(max(3.0, 1.2 + 0.6 * len(found)), 3.2)
    except ImportError:
        return None
    axes.axhline(0.5, color="black", linestyle=":")
    for place, each in enumerate(found):
        win = each.win
        axes.errorbar(
            [place],
            [win.mean],
            yerr=[[win.mean - win.low], [win.high - win.mean]],
            fmt="o",
            markersize=8,
            markerfacecolor="tab:green" if each.served else "white",
            color="tab:green" if each.served else "tab:red",
            capsize=4,
        )
    axes.set(xlim=(-0.5, len(found) - 0.5), ylim=(-0.02, 1.02))
    axes.set_xticks(range(len(found)), [str(each.release) for each in found])
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0%", "25%", "50%", "75%", "100%"])
    return png(made)
