"""How every picture of figures is drawn: the same text sizes, grid and resolution, as a PNG without a window.

`matplotlib.figure.Figure` is used without pyplot, which keeps every figure in memory until it is closed and is not
made for threads. A picture is bytes, so that a page can hold it and `data.home.write_atomic` can write it.
"""

import io
from typing import Any

DPI = 110
SMALL = 8  # points, for legends


def figure(width: float, height: float, rows: int = 1, columns: int = 1, *, sharey: bool = False) -> tuple[Any, Any]:
    """A figure of `width` by `height` inches and the list of its panels, row by row, each with a faint grid.

    Raises `ImportError` where matplotlib is not installed.
    """
    # Inside the function: the bot runs without matplotlib, and a command should not wait for it before it draws.
    from matplotlib.figure import Figure

    made = Figure(figsize=(width, height), layout="constrained")
    panels = list(made.subplots(rows, columns, squeeze=False, sharey=sharey).flat)
    for panel in panels:
        panel.grid(alpha=0.3)
        panel.set_axisbelow(True)
    return made, panels


def png(made: Any) -> bytes:
    """The figure as a PNG; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    made.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return buffer.getvalue()
