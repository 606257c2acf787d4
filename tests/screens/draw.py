"""Draws messages and windows as Discord shows them, in SVG, without a browser."""

from __future__ import annotations

from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from tests.screens.text import SIZE, SMALL, Run, lines, width

WIDTH = 720.0
LEFT, RIGHT = 72.0, 24.0  # of a message's text
LINE, SMALL_LINE = 21.0, 18.0
FONT = "'gg sans', 'Noto Sans', 'Helvetica Neue', Helvetica, Arial, 'Noto Sans CJK SC', 'PingFang SC', sans-serif"
BACK, FRONT, DEEP, EDGE = "#313338", "#dbdee1", "#2b2d31", "#1e1f22"
FAINT, BLURPLE, LINK, GREY, GREEN = "#949ba4", "#5865f2", "#c9cdfb", "#4e5058", "#248046"
PEOPLE = {"ada": "#e67e22", "bea": "#1abc9c", "max": "#e91e63"}

# What Discord itself writes around the bot's words.
CHROME = {
    "en": {"only_you": "Only you can see this", "used": "used", "cancel": "Cancel", "submit": "Submit", "app": "APP"},
    "zh": {"only_you": "仅你可见", "used": "使用了", "cancel": "取消", "submit": "提交", "app": "应用"},
}


@dataclass(frozen=True)
class Message:
    """A message. `reply` is what it replies to, `command` who used which command, `tinted` the green buttons."""

    who: str
    content: str
    app: bool = False
    buttons: tuple[str, ...] = ()
    tinted: tuple[str, ...] = ()
    reply: str | None = None
    command: tuple[str, str] | None = None
    only_you: bool = False


@dataclass(frozen=True)
class Field:
    """A field of a window: its content, and its options."""

    label: str
    value: str = ""
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Window:
    """A window that opened."""

    title: str
    fields: tuple[Field, ...]


@dataclass(frozen=True)
class Caption:
    """A line between two moments or places."""

    text: str


SceneItem = Message | Window | Caption


@dataclass
class Sheet:
    """An SVG that grows downwards."""

    title: str
    parts: list[str] = field(default_factory=list)
    y: float = 0.0
    wide: float = WIDTH

    def box(
        self, x: float, y: float, wide: float, high: float, fill: str, *, edge: str = "", round_: float = 4
    ) -> None:
        """A rectangle."""
        stroke = f' stroke="{edge}"' if edge else ""
        self.parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{wide:g}" height="{high:g}" rx="{round_:g}" fill="{fill}"{stroke}/>'
        )

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        fill: str = FRONT,
        size: float = SIZE,
        bold: bool = False,
        middle: bool = False,
    ) -> None:
        """One line of text in one style, its baseline at `y`."""
        more = (' font-weight="600"' if bold else "") + (' text-anchor="middle"' if middle else "")
        self.parts.append(f'<text x="{x:g}" y="{y:g}" font-size="{size:g}" fill="{fill}"{more}>{escape(text)}</text>')

    def runs(self, x: float, rows: list[list[Run]]) -> None:
        """Lines of styled text, below what is there."""
        for row in rows:
            small = bool(row) and row[0].small
            self.y += SMALL_LINE if small else LINE
            spans = "".join(_span(run) for run in row)
            self.parts.append(f'<text x="{x:g}" y="{self.y:g}" xml:space="preserve">{spans}</text>')

    def svg(self) -> str:
        """The whole picture."""
        high = self.y + 16
        body = "\n".join(self.parts)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.wide:g} {high:g}" width="{self.wide:g}" '
            f'height="{high:g}" role="img" font-family="{FONT}" font-size="{SIZE:g}">\n'
            f"<title>{escape(self.title)}</title>\n"
            f'<rect width="{self.wide:g}" height="{high:g}" rx="8" fill="{BACK}"/>\n{body}\n</svg>\n'
        )


def draw(title: str, channel: str, items: list[SceneItem], language: str) -> str:
    """A scene in a channel as a picture."""
    sheet = Sheet(title)
    sheet.box(0, 0, WIDTH, 40, DEEP, round_=8)
    sheet.text(20, 26, f"# {channel}", bold=True)
    sheet.y = 48
    for item in items:
        match item:
            case Message():
                _message(sheet, item, CHROME[language])
            case Window():
                _window(sheet, item, CHROME[language])
            case Caption(text):
                sheet.y += 30
                sheet.text(WIDTH / 2, sheet.y, f"— {text} —", fill=FAINT, size=SMALL, middle=True)
    return sheet.svg()


def _message(sheet: Sheet, message: Message, chrome: dict[str, str]) -> None:
    top = sheet.y + 8
    if message.reply is not None:
        sheet.text(LEFT, top + 12, f"╭ {message.reply}", fill=FAINT, size=SMALL)
        top += 20
    if message.command is not None:
        who, command = message.command
        sheet.text(LEFT, top + 12, f"╭ {who} {chrome['used']} {command}", fill=FAINT, size=SMALL)
        top += 20
    color = BLURPLE if message.app else PEOPLE.get(message.who, GREY)
    sheet.parts.append(f'<circle cx="40" cy="{top + 20:g}" r="20" fill="{color}"/>')
    sheet.text(40, top + 26, message.who[:1].upper(), fill="#ffffff", bold=True, middle=True)
    sheet.text(LEFT, top + 14, message.who, bold=True, fill=LINK if message.app else color)
    if message.app:
        at = LEFT + Run(message.who, bold=True).width + 8
        sheet.box(at, top + 1, width(chrome["app"], small=True) + 10, 17, BLURPLE)
        sheet.text(at + 5, top + 14, chrome["app"], fill="#ffffff", size=SMALL, bold=True)
    sheet.y = top + 17
    sheet.runs(LEFT, lines(message.content, WIDTH - LEFT - RIGHT))
    if message.buttons:
        _buttons(sheet, message)
    if message.only_you:
        sheet.y += 20
        sheet.text(LEFT, sheet.y, f"👁 {chrome['only_you']}", fill=FAINT, size=SMALL)
    sheet.y += 8


def _buttons(sheet: Sheet, message: Message) -> None:
    x, y = LEFT, sheet.y + 12
    for label in message.buttons:
        wide = width(label) + 30
        if x + wide > WIDTH - RIGHT:
            x, y = LEFT, y + 40
        sheet.box(x, y, wide, 32, GREEN if label in message.tinted else GREY, round_=6)
        sheet.text(x + wide / 2, y + 21, label, fill="#ffffff", middle=True)
        x += wide + 8
    sheet.y = y + 32


def _window(sheet: Sheet, window: Window, chrome: dict[str, str]) -> None:
    left, wide = 110.0, WIDTH - 220
    place, top = len(sheet.parts), sheet.y + 16
    sheet.y = top + 34
    sheet.text(left + 20, sheet.y, window.title, bold=True, size=18, fill="#f2f3f5")
    for one in window.fields:
        sheet.y += 14
        sheet.runs(left + 20, [[Run(one.label, bold=True)]])
        start = len(sheet.parts)
        begin = sheet.y + 8
        sheet.y += 10
        # Several choices are a list that opens; here they all stand in it.
        sheet.runs(left + 32, lines("\n".join(one.options) or one.value, wide - 64))
        high = max(sheet.y - begin + 12, 40)
        sheet.parts.insert(start, _behind(left + 20, begin, wide - 40, high, EDGE))
        sheet.y = begin + high
    sheet.y += 20
    for label, x, fill in (
        (chrome["cancel"], left + wide - 210, GREY),
        (chrome["submit"], left + wide - 110, BLURPLE),
    ):
        sheet.box(x, sheet.y, 90, 34, fill, round_=6)
        sheet.text(x + 45, sheet.y + 22, label, fill="#ffffff", middle=True)
    sheet.y += 52
    sheet.parts.insert(place, _behind(left, top, wide, sheet.y - top, DEEP))


def _behind(x: float, y: float, wide: float, high: float, fill: str) -> str:
    return f'<rect x="{x:g}" y="{y:g}" width="{wide:g}" height="{high:g}" rx="8" fill="{fill}" stroke="{EDGE}"/>'


def _span(run: Run) -> str:
    more = (' font-weight="600"' if run.bold else "") + (f' font-size="{SMALL:g}"' if run.small else "")
    fill = LINK if run.link else FAINT if run.small else FRONT
    return f'<tspan fill="{fill}"{more}>{escape(run.text)}</tspan>'
