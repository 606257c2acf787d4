"""Which of Discord's markup is still open where a text is divided, and how it is closed and opened again.

Code blocks keep their language. Spoilers, quotes and inline code go on, also one inside the other. What only looks
like markup, a `||` between two blanks say, stays as it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

FENCE = "```"
LONGEST_CLOSING = 16  # characters that close all that can be open
_LONGEST_INDENT = 8
_TOKEN = re.compile(r"```|``|`|\\\||\|\||\n")
_OPENING = re.compile(r"```([\w+#.-]{0,20})\n")
_QUOTE = re.compile(r" *(>>> |> )")
_INDENT = re.compile(r"(?:^|(?<=\n))(?: *> )?([ \t]*)$")


@dataclass(frozen=True)
class Markup:
    """The markup that is open at some place of a text, the outermost first.

    `quote` is "> " for a line, ">>> " for all that follows. `fence` is the language of a code block, "" for none;
    None means that no code block is open. `indent` is what stands before its fence. `inline` are the backticks that
    opened inline code. `began` is where the innermost begins, if nothing but white space has followed it, or if it
    is inline code; the text is better divided there.
    """

    quote: str = ""
    within_line: bool = False
    spoiler: bool = False
    fence: str | None = None
    indent: str = ""
    inline: str = ""
    began: int | None = None

    @property
    def opening(self) -> str:
        """What opens it again at the beginning of a message."""
        line = self.quote if self.within_line or self.fence is not None or self.quote == ">>> " else ""
        spoiler = "||" if self.spoiler else ""
        if self.fence is None:
            return f"{line}{spoiler}{self.inline}"
        again = self.quote if self.within_line and self.quote == "> " else ""
        return f"{line}{spoiler}{FENCE}{self.fence}\n{again}"

    @property
    def closing(self) -> str:
        """What closes it at the end of a message."""
        spoiler = "||" if self.spoiler else ""
        if self.fence is None:
            return f"{self.inline}{spoiler}"
        # In a list, the fence must be indented like the list's item: else it would end the item and not the code.
        before = "> " if self.quote == "> " else self.indent
        return f"\n{before}{FENCE}{spoiler}"


def open_at_end(text: str, inline_from: int | None = None) -> Markup:
    """The markup that is open at the end of a text, which begins a message.

    Inline code that was never closed is only a backtick, so it counts from the end of its line on, and at the end of
    an answer only when it began before `inline_from`; None where more may follow.
    """
    quote = _quote(text, 0)
    spoiler, fence, indent, inline, opener, after = False, None, "", "", 0, 0
    for found in _TOKEN.finditer(text):
        mark, at = found[0], found.start()
        if mark == "\n":
            inline = ""
            if quote != ">>> " and (fence is None or (quote and found.end() < len(text))):
                quote = _quote(text, found.end())
        elif fence is not None:
            fence = None if mark == FENCE else fence
        elif mark == FENCE:
            language = _OPENING.match(text, at)
            fence, inline = language[1] if language else "", ""
            before = _INDENT.search(text, 0, at)
            indent = before[1][:_LONGEST_INDENT] if before else ""
            opener, after = at, language.end() if language else found.end()
        elif mark[0] == "`":
            inline = "" if inline == mark else inline or mark
            opener = at if inline == mark else opener
        elif mark == "||" and not inline and (spoiler or not _between_blanks(text, at)):
            spoiler = not spoiler
            opener, after = (at, found.end()) if spoiler else (opener, after)
    if text.endswith("`") or (inline_from is not None and opener >= inline_from):
        inline = ""
    within = bool(text) and not text.endswith("\n")
    empty = (fence is not None or spoiler) and not text[after:].strip("> \t\n")
    began = opener if inline or empty else None
    return Markup(quote, within, spoiler, fence, indent, inline, began)


def _quote(text: str, at: int) -> str:
    found = _QUOTE.match(text, at)
    return found[1] if found else ""


def _between_blanks(text: str, at: int) -> bool:
    return text[at - 1 : at] == " " and text[at + 2 : at + 3] == " "
