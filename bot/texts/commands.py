"""What Discord's commands, options and choices are called in Chinese, and what they are for in both languages.

The keys are what they are called in English, each behind what it belongs to: "consent answer yes" is the choice `yes`
of the option `answer` of the command `/consent`. Slash commands and options have names of 1 to 32 lower-case letters
without spaces; descriptions have at most 100 characters.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Called:
    """A name in Chinese; and a description in both languages, for what has one."""

    zh: str
    for_en: str = ""
    for_zh: str = ""


CALLED = {
    "parley": Called("parley", "Talk to Parley, and teach it.", "和 Parley 聊天，并教它。"),
    # what it says
    "ask": Called("提问", "Ask Parley something, here or anywhere.", "随时随地向 Parley 提问。"),
    "ask question": Called("问题", "What you want to know.", "你想知道什么。"),
    "persona": Called(
        "角色",
        "Whom you talk to here; managers choose for channels and servers.",
        "你在这里和谁聊天；管理员可以为频道和服务器选择。",
    ),
    "persona name": Called(
        "名字", "Who is to answer; left out, you see who does.", "由谁来回答；不填则显示现在是谁。"
    ),
    "persona name assistant": Called("助手"),
    "persona name support": Called("客服"),
    "persona name tutor": Called("家教"),
    "persona name writer": Called("写手"),
    "persona name default": Called("默认"),
    "persona where": Called("范围", "In this channel, or on the whole server.", "在这个频道，还是整个服务器。"),
    "persona where here": Called("这里"),
    "persona where server": Called("服务器"),
    # teaching
    "teach": Called("教学", "How to teach Parley, and what becomes of it.", "怎样教 Parley，之后会怎样。"),
    "stats": Called("统计", "What people taught Parley so far.", "到目前为止大家教了 Parley 什么。"),
    "teaching": Called(
        "允许教学",
        "For managers: whether this server's members may teach Parley.",
        "管理员用：这个服务器的成员能不能教 Parley。",
    ),
    "teaching allowed": Called("允许", "On: they may. Off: they may not.", "开：可以教。关：不可以教。"),
    "teaching allowed on": Called("开"),
    "teaching allowed off": Called("关"),
    # rights
    "privacy": Called(
        "隐私",
        "What Parley keeps, for how long, and what you agreed to.",
        "Parley 保存什么、保存多久，以及你同意了什么。",
    ),
    "consent": Called(
        "同意", "Whether Parley may learn from your ratings and words.", "Parley 可不可以向你的打分和话语学习。"
    ),
    "consent answer": Called("回答", "Yes or no; you can change it at any time.", "同意或不同意；随时可以改。"),
    "consent answer yes": Called("同意"),
    "consent answer no": Called("不同意"),
    "export": Called(
        "导出",
        "Everything that Parley keeps of you, as a file for you alone.",
        "Parley 保存的关于你的一切，做成只给你的文件。",
    ),
    "forget": Called("遗忘", "Erase everything that Parley keeps of you.", "清除 Parley 保存的关于你的一切。"),
    # moderation
    "reports": Called(
        "举报频道",
        "For managers: the channel that reported answers are shown in.",
        "管理员用：被举报的回答出现在哪个频道。",
    ),
    "reports channel": Called("频道", "Which channel; left out, none.", "哪个频道；不填则不显示。"),
    # menus of messages
    "Answer this": Called("回答这条消息"),
    "Correct this answer": Called("改正这个回答"),
    "Rate this answer": Called("给这个回答打分"),
    "Report this answer": Called("举报这个回答"),
    "Delete this answer": Called("删除这个回答"),
}
