"""Two schematic pictures of Discord's developer portal: what to create there, and how to invite the bot."""

from __future__ import annotations

from tests.screens.draw import BLURPLE, DEEP, EDGE, FAINT, GREEN, GREY, WIDTH, Sheet
from tests.screens.text import SMALL, width

SCOPES = ("bot", "applications.commands")
PERMISSIONS = (
    "View Channels",
    "Send Messages",
    "Send Messages in Threads",
    "Create Public Threads",
    "Read Message History",
    "Attach Files",
)

NOTES = {
    "en": {
        "schematic": "A drawing, not a screenshot: the portal uses these names, but looks different.",
        "create": "1. Create an application and give it a name.",
        "token": "2. Reset the token, copy it, put it into DISCORD_TOKEN. Show it to nobody.",
        "public": "off, if only you may invite it",
        "contexts": "1. Guild Install: for servers. User Install: /ask anywhere, for people who add it.",
        "settings": "2. What the invite link asks for: these scopes, and only these permissions.",
        "link": "3. Open the link, choose your server, confirm.",
        "content": "4. Not needed: leave it off. Turn it on only with PARLEY_DISCORD_MESSAGE_CONTENT=1.",
    },
    "zh": {
        "schematic": "示意图，不是截图：名称和开发者门户里的一样，样子不同。",
        "create": "1. 创建一个应用，取个名字。",
        "token": "2. 重置令牌并复制，写进 DISCORD_TOKEN。不要让别人看到。",
        "public": "如果只有你自己邀请它，就关掉",
        "contexts": "1. Guild Install：装进服务器。User Install：谁添加了它，谁就能到处用 /ask。",
        "settings": "2. 邀请链接要求的内容：这两个范围，权限只要这几项。",
        "link": "3. 打开链接，选择你的服务器，确认。",
        "content": "4. 不需要，保持关闭。只有同时设置 PARLEY_DISCORD_MESSAGE_CONTENT=1 才打开。",
    },
}


def application(language: str) -> str:
    """The first picture: application, bot, token."""
    notes, sheet = NOTES[language], _sheet("Create an application and a bot", NOTES[language])
    _page(sheet, "Applications", ("New Application",), notes["create"], 106)
    _row(sheet, "Name", ("Parley",), GREY)
    _page(sheet, "Parley › Bot", ("Reset Token",), notes["token"], 142)
    _row(sheet, "Token", ("•••••••••••••••• Copy",), GREY)
    _switch(sheet, "Public Bot", notes["public"])
    return sheet.svg()


def installation(language: str) -> str:
    """The second picture: installation, scopes, permissions, and the switch for Message Content."""
    notes, sheet = NOTES[language], _sheet("Invite the bot", NOTES[language])
    _page(sheet, "Parley › Installation › Installation Contexts", (), notes["contexts"], 104)
    _row(sheet, "", ("☑ User Install", "☑ Guild Install"), GREY)
    _page(sheet, "Parley › Installation › Default Install Settings › Guild Install", (), notes["settings"], 176)
    _row(sheet, "Scopes", SCOPES, BLURPLE)
    _row(sheet, "Permissions", PERMISSIONS, GREEN)
    _page(sheet, "Parley › Installation › Install Link", (), notes["link"], 104)
    _row(sheet, "", ("Discord Provided Link", "Copy"), GREY)
    _page(sheet, "Parley › Bot › Privileged Gateway Intents", (), notes["content"], 104)
    _switch(sheet, "Message Content Intent", "")
    return sheet.svg()


INVITE = {"invite-1": application, "invite-2": installation}


def _sheet(title: str, notes: dict[str, str]) -> Sheet:
    sheet = Sheet(f"{title} ({notes['schematic']})")
    sheet.text(WIDTH / 2, 28, notes["schematic"], fill=FAINT, size=SMALL, middle=True)
    sheet.y = 40
    return sheet


def _page(sheet: Sheet, path: str, buttons: tuple[str, ...], note: str, high: float) -> None:
    """A page of the portal: where it is, what to press there, and why."""
    top = sheet.y + 14
    sheet.box(20, top, WIDTH - 40, high, DEEP, edge=EDGE, round_=8)
    sheet.text(36, top + 26, path, bold=True)
    x = WIDTH - 36.0
    for label in buttons:
        wide = width(label) + 24
        x -= wide
        sheet.box(x, top + 8, wide, 28, BLURPLE, round_=6)
        sheet.text(x + wide / 2, top + 27, label, fill="#ffffff", middle=True)
    sheet.text(36, top + 50, note, size=13)
    sheet.y = top + 62


def _row(sheet: Sheet, name: str, values: tuple[str, ...], fill: str) -> None:
    x = 36.0
    if name:
        sheet.text(x, sheet.y + 20, name, fill=FAINT)
        x += 110
    for value in values:
        wide = width(value) + 20
        if x + wide > WIDTH - 36:
            x, sheet.y = 146.0, sheet.y + 34
        sheet.box(x, sheet.y, wide, 28, fill, round_=6)
        sheet.text(x + wide / 2, sheet.y + 19, value, fill="#ffffff", middle=True)
        x += wide + 8
    sheet.y += 38


def _switch(sheet: Sheet, name: str, note: str) -> None:
    sheet.text(36, sheet.y + 20, f"{name}: {note}" if note else name, size=13)
    sheet.box(WIDTH - 84, sheet.y + 5, 44, 22, GREY, round_=11)
    sheet.parts.append(f'<circle cx="{WIDTH - 72:g}" cy="{sheet.y + 16:g}" r="8" fill="#ffffff"/>')
    sheet.y += 38
