"""The console that commands print to."""

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from data.pasted import pasted
from data.printing import printable


class PlainConsole(Console):
    """Rich's console for texts that people wrote: they cannot command the terminal. Commands can be pasted."""

    @property
    def is_terminal(self) -> bool:
        """Whether it prints to a terminal, where people's texts may be shown.

        To Rich a file or a pipe is one too where FORCE_COLOR or TTY_COMPATIBLE is set, as on many CI machines.
        """
        if self._force_terminal is not None:
            return bool(self._force_terminal)
        return super().is_terminal and self.file.isatty()

    def print(self, *objects: Any, **options: Any) -> None:
        """See `rich.console.Console.print`. A sentence with a command is not broken into lines."""
        shown = [pasted(each) if isinstance(each, str) else each for each in objects]
        if shown != list(objects):
            options.setdefault("soft_wrap", True)
        super().print(*shown, **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """See `rich.console.Console.render`."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(printable(segment.text), segment.style)
