"""The Chinese names of Discord's commands, options and choices, and their descriptions in both languages.

The keys are the English names, each after what it belongs to: "consent answer yes" is the choice `yes` of the
option `answer` of the command `/consent`. Slash commands and options have names of 1 to 32 lower-case letters without
spaces; descriptions have at most 100 characters.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Named:
    """A Chinese name, and a description in both languages if there is one."""

    zh: str
    for_en: str = ""
    for_zh: str = ""


CALLED = {
    "parley": Named("parley", "Talk to Parley, and teach it.", "和 Parley 聊天，并教它。"),
    # talking
    "ask": Named("提问", "Ask Parley something, here or anywhere.", "随时随地向 Parley 提问。"),
    "ask question": Named("问题", "What you want to know.", "你想知道什么。"),
    "ask persona": Named(
        "角色", "Which persona answers, in this conversation only.", "由哪个角色来回答，只用于这次对话。"
    ),
    "new": Named("新对话", "Begin a new conversation here.", "在这里开始新的对话。"),
    "chat": Named("聊天", "Open a thread to talk with Parley.", "打开一个和 Parley 聊天的子区。"),
    "threads": Named(
        "子区回答",
        "For managers: whether a first mention here is answered in a thread.",
        "服务器管理员用：这里的第一次提及要不要在子区里回答。",
    ),
    "threads answer": Named("回答", "On: in a thread. Off: right here.", "开：在子区里。关：就在这里。"),
    "threads answer on": Named("开"),
    "threads answer off": Named("关"),
    "persona": Named(
        "角色",
        "Which persona you talk to here; managers choose for channels and servers.",
        "你在这里和哪个角色聊天；服务器管理员可以为频道和服务器选择。",
    ),
    "persona name": Named(
        "名字",
        "Which persona answers; leave it out to see the current one.",
        "由哪个角色来回答；不填则显示现在的角色。",
    ),
    "persona where": Named("范围", "In this channel, or on the whole server.", "在这个频道，还是整个服务器。"),
    "persona where here": Named("这里"),
    "persona where server": Named("服务器"),
    "persona_write": Named(
        "编写角色", "For managers: write a persona for this server.", "服务器管理员用：编写这个服务器自己的角色。"
    ),
    "persona_write name": Named(
        "名字", "Its name; an existing persona is changed.", "角色的名字；已有的角色会被修改。"
    ),
    "persona_delete": Named(
        "删除角色", "For managers: delete a persona of this server.", "服务器管理员用：删除这个服务器自己的角色。"
    ),
    "persona_delete name": Named("名字", "Which one.", "哪一个。"),
    # teaching
    "teach": Named("教学", "How to teach Parley, and what happens with it.", "怎样教 Parley，之后会怎样。"),
    "web": Named(
        "网页", "Your personal link to the bot's page outside Discord.", "进入机器人网页的个人链接，在 Discord 之外。"
    ),
    "stats": Named("统计", "What people have taught Parley so far.", "到目前为止大家教了 Parley 什么。"),
    "lessons": Named(
        "教过的内容",
        "Your corrections, which the model sees for similar questions; managers accept those of members.",
        "你问类似问题时模型会看到的改正；服务器管理员可以在这里接受它们。",
    ),
    "lessons number": Named("编号", "The lesson's number in the list.", "哪一条，按列表里的编号。"),
    "lessons page": Named("页码", "Which page of the list.", "列表的第几页。"),
    "lessons what": Named("做什么", "What to do with it.", "对它做什么。"),
    "lessons what edit": Named("修改"),
    "lessons what remove": Named("移除"),
    "lessons what accept": Named("接受"),
    "lessons what decline": Named("拒绝"),
    "faq": Named(
        "常见问题",
        "For managers: questions with their answers, which the model sees for similar questions.",
        "服务器管理员用：问题和答案，有人问类似的问题时模型会看到。",
    ),
    "faq import": Named("导入", "Import a file; its entries hold on this server.", "导入文件，只对这个服务器有效。"),
    "faq import file": Named(
        "文件",
        "Markdown with headings, or CSV or JSON lines with question and answer.",
        "带标题的 Markdown，或有 question 和 answer 的 CSV、JSON lines。",
    ),
    "faq import persona": Named("角色", "For this persona only.", "只用于这个角色。"),
    "faq list": Named("列表", "The entries of this server.", "这个服务器的条目。"),
    "faq list page": Named("页码", "Which page of the list.", "列表的第几页。"),
    "faq remove": Named("移除", "Remove an entry, or all of a file.", "移除一条，或一个文件的全部。"),
    "faq remove what": Named("什么", "An entry's number, or a file's name.", "条目的编号，或文件的名字。"),
    "teaching": Named(
        "允许教学",
        "For managers: whether this server's members may teach Parley.",
        "服务器管理员用：这个服务器的成员能不能教 Parley。",
    ),
    "teaching allowed": Named("允许", "On: they may. Off: they may not.", "开：可以教。关：不可以教。"),
    "teaching allowed on": Named("开"),
    "teaching allowed off": Named("关"),
    "reactions": Named(
        "表情评价",
        "For managers: whether 👍 and 👎 as reactions to answers count as votes.",
        "服务器管理员用：给回答加上的 👍 和 👎 表情算不算评价。",
    ),
    "reactions count": Named("计入", "On: they count. Off: only buttons count.", "开：计入。关：只有按钮计入。"),
    "reactions count on": Named("开"),
    "reactions count off": Named("关"),
    # rights
    "privacy": Named(
        "隐私",
        "What Parley keeps, for how long, and what you agreed to.",
        "Parley 保存什么、保存多久，以及你同意了什么。",
    ),
    "consent": Named(
        "同意", "Whether Parley may learn from your ratings and messages.", "Parley 能不能从你的评价和消息中学习。"
    ),
    "consent answer": Named("回答", "Yes or no; you can change it at any time.", "同意或不同意；随时可以改。"),
    "consent answer yes": Named("同意"),
    "consent answer no": Named("不同意"),
    "export": Named(
        "导出",
        "Everything that Parley keeps about you, as a file that only you see.",
        "Parley 保存的关于你的一切，作为只有你看得到的文件。",
    ),
    "forget": Named("遗忘", "Erase everything that Parley keeps about you.", "清除 Parley 保存的关于你的一切。"),
    # moderation
    "reports": Named(
        "举报频道",
        "For managers: the channel where reported answers are shown.",
        "服务器管理员用：被举报的回答显示在哪个频道。",
    ),
    "reports channel": Named("频道", "Which channel; leave it out for none.", "哪个频道；不填则不显示。"),
    # channels in which the bot speaks by itself
    "announcements": Named(
        "公告频道",
        "For managers: the channel where new releases are announced.",
        "服务器管理员用：新版本在哪个频道公布。",
    ),
    "announcements channel": Named("频道", "Which channel; leave it out for none.", "哪个频道；不填则不公布。"),
    "refusals": Named(
        "拒绝记录",
        "For managers: the channel that shows how many messages were refused, and why.",
        "服务器管理员用：在哪个频道显示拒绝了多少条消息、为什么。",
    ),
    "refusals channel": Named("频道", "Which channel; leave it out for none.", "哪个频道；不填则不显示。"),
    # what managers decide
    "access": Named(
        "准入",
        "For managers: whom the bot answers on this server, and where.",
        "服务器管理员用：机器人在这个服务器上回答谁、在哪里回答。",
    ),
    "access allow": Named(
        "允许",
        "Answer only these people and roles, or answer in this place.",
        "只回答这些人和身份组，或在这个地方回答。",
    ),
    "access allow who": Named("谁", "A person or a role.", "一个人或一个身份组。"),
    "access allow where": Named("哪里", "A channel, a thread or a category.", "一个频道、子区或类别。"),
    "access allow everywhere": Named("全部", "The whole server.", "整个服务器。"),
    "access block": Named(
        "禁止",
        "Never answer this person or role, or not in this place.",
        "从不回答这个人或身份组，或不在这个地方回答。",
    ),
    "access block who": Named("谁", "A person or a role.", "一个人或一个身份组。"),
    "access block where": Named("哪里", "A channel, a thread or a category.", "一个频道、子区或类别。"),
    "access block everywhere": Named("全部", "The whole server.", "整个服务器。"),
    "access clear": Named(
        "取消", "Remove the rule for this person, role or place.", "取消对这个人、身份组或地方的规则。"
    ),
    "access clear who": Named("谁", "A person or a role.", "一个人或一个身份组。"),
    "access clear where": Named("哪里", "A channel, a thread or a category.", "一个频道、子区或类别。"),
    "access clear everywhere": Named("全部", "The whole server.", "整个服务器。"),
    "access list": Named(
        "名单", "Who and what is allowed and blocked on this server.", "这个服务器上允许和禁止了谁、哪些地方。"
    ),
    "limits": Named(
        "限额",
        "For managers: how many answers per hour are allowed here. 0 means no limit.",
        "服务器管理员用：这里每小时最多有多少个回答。0 表示不限。",
    ),
    "limits person": Named("每人", "Answers per hour for each person.", "每人每小时的回答数。"),
    "limits channel": Named("每频道", "Answers per hour in each channel.", "每个频道每小时的回答数。"),
    "limits server": Named("服务器", "Answers per hour on the whole server.", "整个服务器每小时的回答数。"),
    "limits where": Named("范围", "In this channel, or on the whole server.", "在这个频道，还是整个服务器。"),
    "limits where here": Named("这里"),
    "limits where server": Named("服务器"),
    "language": Named(
        "语言",
        "For managers: in which language the bot speaks here.",
        "服务器管理员用：机器人在这里用哪种语言。",
    ),
    "language name": Named(
        "名字", "Which language; leave it out to see the current one.", "哪种语言；不填则显示现在的语言。"
    ),
    "language name en": Named("英文"),
    "language name zh": Named("中文"),
    "language name default": Named("默认"),
    "language where": Named("范围", "In this channel, or on the whole server.", "在这个频道，还是整个服务器。"),
    "language where here": Named("这里"),
    "language where server": Named("服务器"),
    "audit": Named(
        "记录",
        "For managers and operators: what managers and operators did.",
        "服务器管理员和运营者用：服务器管理员和运营者做过什么。",
    ),
    # what operators decide
    "release": Named("版本", "For operators: which release serves.", "运营者用：由哪个版本服务。"),
    "release status": Named(
        "状态",
        "What serves, what is on trial, and how the bot is doing.",
        "哪个版本在服务，哪个在试用，机器人的状态怎样。",
    ),
    "release promote": Named(
        "启用", "Make a release the champion; 0 is the base model.", "让一个版本成为冠军；0 是基础模型。"
    ),
    "release promote number": Named("编号", "The release's number.", "版本的编号。"),
    "release promote anyway": Named("仍然", "Even if the gate refused it.", "即使关卡拒绝了它。"),
    "release rollback": Named("回退", "Go back to the champion before this one.", "回到上一个冠军。"),
    "release pause": Named("暂停", "Start no new round until rounds are resumed.", "不再开始新一轮训练，直到恢复。"),
    "release resume": Named("恢复", "Let rounds start again.", "允许重新开始训练。"),
    # menus of messages
    "Answer this": Named("回答这条消息"),
    "Correct this answer": Named("改正这个回答"),
    "Rate this answer": Named("给这个回答打分"),
    "Report this answer": Named("举报这个回答"),
    "Delete this answer": Named("删除这个回答"),
}
