"""Every sentence that people read from the bot, in English and Chinese.

One data class, two instances: a sentence that is missing in one language is a type error. Placeholders are filled
with `str.format`; a test checks that both languages use the same ones.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Texts:
    """The bot's sentences in one language."""

    # answering
    waiting: str
    queue_full: str
    queue_full_person: str
    message_too_long: str
    empty_answer: str
    stopped: str
    stopped_early: str
    cut_off: str
    broke_off: str
    internal_error: str
    question_gone: str
    answer_gone: str

    # ratings
    stored_up: str
    stored_down: str
    stored_correction: str
    stored_comparison: str
    stored_retraction: str
    already: str
    nothing_to_retract: str
    nothing_to_rate: str
    correction_empty: str
    correction_same: str

    # consent
    consent_question: str
    consent_question_held: str
    consent_first: str
    consent_given: str
    consent_given_held: str
    consent_refused: str
    consent_unanswered: str
    yes: str
    no: str
    take_back: str
    not_yours: str
    privacy: str
    training: str
    training_held: str

    # terminal
    serving: str
    serving_base: str
    to_discord: str
    for_help: str
    starting: str
    you: str
    help: str
    unknown_command: str
    did_you_mean: str
    which_is_better: str
    not_a_verdict: str
    not_comparable: str
    no_question: str
    persona_now: str
    persona_list: str
    nothing_runs: str
    consent_usage: str
    ask_consent: str
    goodbye: str

    # discord
    mention_only: str
    cannot_read: str
    two_answers: str
    two_coming: str
    no_two_answers: str
    fix_title: str
    fix_label: str
    fix_file: str
    fix_empty: str
    fix_unreadable: str
    why_title: str
    why_reasons: str
    why_comment: str
    reasons: tuple[str, ...]
    rate_this: str
    nothing_to_answer: str
    reported: str
    reported_there: str
    reports_go: str
    reports_off: str
    reports_missing: str
    deleted: str
    not_yours_to_delete: str
    not_deleted: str
    teaching_off: str
    teaching_now_on: str
    teaching_now_off: str
    managers_only: str
    kept: str
    forget_question: str
    forget_yes: str
    forgotten: str
    teach: str
    teach_trains: str
    teach_held: str
    teach_off: str
    stats_here: str
    stats_everywhere: str
    stats_serving: str
    stats_trial: str
    stats_no_trial: str
    no_answer_here: str
    tie: str
    both_bad: str
    which_was_which: str
    of_one_release: str
    the_base: str
    of_release: str


EN = Texts(
    waiting="Answers ahead of yours: {ahead}.",
    queue_full="Too many people are waiting for an answer. Please ask again in a minute.",
    queue_full_person="You already have {waiting} questions waiting here. Please let them be answered first.",
    message_too_long="This message is too long: it takes {tokens} tokens and {budget} fit. Please shorten it.",
    empty_answer="(The model had nothing to say. Ask for another answer, or put the question differently.)",
    stopped="(stopped)",
    stopped_early="(stopped before the first word)",
    cut_off="(cut off: the answer reached its limit of {tokens} tokens)",
    broke_off="(The answer broke off: {reason})",
    internal_error="Something went wrong on my side, and the operator's log says what. Please try again.",
    question_gone="The question is no longer there, so there is nothing to answer again.",
    answer_gone="I no longer have this answer, so it cannot be rated.",
    stored_up="👍 noted, thank you.",
    stored_down="👎 noted, thank you.",
    stored_correction="Your correction is noted, thank you.",
    stored_comparison="Your verdict is noted, thank you.",
    stored_retraction="Your rating is taken back.",
    already="That is already noted.",
    nothing_to_retract="There is no rating of yours to take back.",
    nothing_to_rate="There is no answer to rate yet.",
    correction_empty="Write the better answer behind the command: /correct The better answer.",
    correction_same="This is the answer as it stands. Write what it should have been.",
    consent_question=(
        "May Parley learn from you? If you agree, your ratings and what you say to the bot from now on are kept and "
        "may be used to train it. If you don't, you can go on talking to it, nothing of yours trains anything, and "
        "your messages are erased after {days} days. You can change your mind at any time."
    ),
    consent_question_held=(
        "May Parley learn from you? If you agree, your ratings and what you say to the bot from now on are kept and "
        "may be used to train it. At present nothing from Discord trains a model here: Discord allows that only "
        "with its permission, which this bot does not have. Your comparisons of answers help choose which release "
        "serves; beyond that your ratings are kept and used for nothing yet. "
        "If you don't agree, you can go on talking to it, nothing of yours is used, and your messages are erased "
        "after {days} days. You can change your mind at any time."
    ),
    consent_first="Ratings are kept only with your consent: see /privacy, then /consent yes. This one was not kept.",
    consent_given=(
        "Thank you. Your ratings and what you say from now on may train the bot. What was said before this is not "
        "covered, so ratings count in conversations that begin after your yes."
    ),
    consent_given_held=(
        "Thank you. Your ratings are kept from now on, and your comparisons help choose which release serves; "
        "nothing from Discord trains a model yet."
    ),
    consent_refused="Understood: nothing of yours is used, earlier ratings included, and no new rating is kept.",
    consent_unanswered="not answered yet",
    yes="Yes, I agree",
    no="No",
    take_back="Take back",
    not_yours="Only the person who asked can stop this answer.",
    privacy=(
        "What is kept: your messages and the bot's answers, under a pseudonym, on the operator's own machine. "
        "{training} Texts of people who have not agreed are erased after {days} days. Your consent: {consent}."
    ),
    training="With your consent they may train this bot; without it they train nothing.",
    training_held=(
        "At present nothing from Discord trains a model, with or without your consent, because this bot does not "
        "have Discord's permission for that."
    ),
    serving="Release {release} answers.",
    serving_base="The base model answers (release 0: nothing trained yet).",
    to_discord=(
        "This is the terminal. To talk on Discord, put the bot's token into DISCORD_TOKEN (in .env or the "
        "environment) and start again."
    ),
    for_help="/help lists the commands, /quit leaves.",
    starting="Starting the engine ...",
    you="you> ",
    help=(
        "/up              the last answer is good\n"
        "/down [why]      the last answer is bad\n"
        "/correct TEXT    what the last answer should have been\n"
        "/again           another answer, then say which is better: a, b, tie or bad\n"
        "/retract         take your vote on the last answer back\n"
        "/stop            stop the answer that is running (Ctrl-C does the same)\n"
        "/persona NAME    talk to another persona, from the beginning\n"
        "/consent yes|no  whether your ratings and words may be used to train the bot\n"
        "/privacy         what is kept, and for how long\n"
        "/help            this list\n"
        "/quit            leave"
    ),
    unknown_command="There is no command {name}.",
    did_you_mean=" Did you mean {name}?",
    which_is_better="Which is better, the first (a) or the second (b)? a, b, tie, bad: ",
    not_a_verdict="No verdict noted (a, b, tie and bad are verdicts).",
    not_comparable="The question or the settings have changed since, so the two answers are not compared.",
    no_question="There is no question to answer again yet.",
    persona_now="You are talking to the persona {name}.",
    persona_list="There are {names}. You are talking to {name}.",
    nothing_runs="No answer is running.",
    consent_usage="Say /consent yes or /consent no. Your consent: {consent}.",
    ask_consent="Agree? [y/N] ",
    goodbye="Goodbye.",
    mention_only="Hello! Write your question in the same message, and I will answer it.",
    cannot_read="Discord does not show me what this says. Mention me in it, and I will answer.",
    two_answers="Two answers this time. Which one is better? Anyone may say.",
    two_coming="Two answers are on their way, for you to compare …",
    no_two_answers="There was no other whole answer to compare this one with.",
    fix_title="Correct this answer",
    fix_label="What should the answer have been?",
    fix_file="The answer is too long for this window: upload the better one as a text file.",
    fix_empty="Nothing was written, so nothing was corrected.",
    fix_unreadable="That is no UTF-8 text file of at most {kib} KiB, so nothing was corrected.",
    why_title="👎 noted. What was wrong?",
    why_reasons="Choose what fits, or nothing",
    why_comment="In your own words, if you like",
    reasons=(
        "Not true",
        "Not what was asked",
        "Tone or length",
        "Harmful or not allowed",
        "Wrong language",
    ),
    rate_this="How good is this answer?",
    teaching_off=(
        "On this server members cannot teach me yet, so nothing was kept. Somebody who manages the server can allow "
        "it: /teaching on."
    ),
    teaching_now_on="Members of this server may rate, compare and correct from now on, each with their own consent.",
    teaching_now_off="Nobody can teach me on this server any more, and nothing from here trains anything.",
    managers_only="Only who may manage this server can decide that.",
    deleted="The answer is deleted, here and from what I keep.",
    not_yours_to_delete="Only the person who asked and those who may manage messages can delete this answer.",
    not_deleted="What I keep of it is erased. The message itself I may not delete here; a moderator can.",
    reported="Thank you. The moderators of this server see it now; who reported it they don't.",
    reported_there="⚠️ An answer of mine was reported: {link}",
    reports_go="Reported answers are shown in {channel} from now on.",
    reports_off="Reported answers are shown nowhere now.",
    reports_missing="This server has no channel for reports that I can write in. Please tell its moderators.",
    nothing_to_answer="There is nothing to answer in that message: it is a bot's, or has no text.",
    kept="What you said to me, your ratings and your answers about consent, as I keep them, are in this file.",
    forget_question=(
        "Erase everything of yours: all that you said to me, my answers to it, your ratings and corrections? This "
        "cannot be undone. Releases that were trained before, or are being trained, keep what they learnt; later "
        "ones are trained without it. What you wrote stays on Discord until you delete it there."
    ),
    forget_yes="Yes, erase it all",
    forgotten="Done: {texts} texts are erased, and your ratings with them.",
    teach=(
        "**How to teach this bot**\n"
        "👍 👎 say whether an answer is good; 👎 asks what was wrong.\n"
        "✏️ lets you write what the answer should have been. That teaches most.\n"
        "⚖️ sets a second answer beside the first, and you say which is better.\n"
        "Old answers: right-click, Apps, “Rate this answer” or “Correct this answer”.\n"
        "**What becomes of it**\n{becomes}\n"
        "Nobody else sees how you rated. /privacy says what is kept, /forget erases it, /consent changes your mind."
    ),
    teach_trains=(
        "Now and then the operator trains a new release on the ratings of those who agreed, and it serves only if it "
        "is better than the one before. While a new one is on trial, your comparisons decide whether it may serve."
    ),
    teach_held=(
        "Comparisons choose between releases: while a new one is on trial, they decide whether it may serve. Beyond "
        "that nothing from Discord trains a model here, because this bot does not have Discord's permission for that."
    ),
    teach_off="On this server members cannot teach yet. Somebody who manages it can allow that: /teaching on.",
    stats_here="Taught on this server so far: {counts}, by {people} people.",
    stats_everywhere="Taught so far: {counts}, by {people} people.",
    stats_serving="{release} answers, of {releases} trained so far.",
    stats_trial=(
        "{release} is on trial: people compared answers to {prompts} questions and preferred its own in {share:.0%}. "
        "It takes {needed} questions, and {people} people, to decide."
    ),
    stats_no_trial="No release is on trial.",
    no_answer_here="This is no answer of mine that I still have.",
    tie="Equally good",
    both_bad="Both bad",
    which_was_which="A was {first}, B {second}.",
    of_one_release="Both were of {first}.",
    the_base="the base model",
    of_release="release {release}",
)

ZH = Texts(
    waiting="前面还有 {ahead} 个回答。",
    queue_full="等待回答的人太多了，请过一分钟再问。",
    queue_full_person="你在这里已有 {waiting} 个问题在排队，请先等它们答完。",
    message_too_long="这条消息太长：占 {tokens} 个词元，最多只能放下 {budget} 个。请缩短一些。",
    empty_answer="（模型没有给出任何内容。可以要求换一个回答，或换个问法。）",
    stopped="（已停止）",
    stopped_early="（还没开始就停止了）",
    cut_off="（回答被截断：已达到 {tokens} 个词元的上限）",
    broke_off="（回答中断：{reason}）",
    internal_error="我这边出了点问题，运维日志里有原因。请再试一次。",
    question_gone="原来的问题已经不在了，没有可以重新回答的内容。",
    answer_gone="这个回答已经不在我这里了，无法评价。",
    stored_up="👍 已记录，谢谢。",
    stored_down="👎 已记录，谢谢。",
    stored_correction="已记录你的修改，谢谢。",
    stored_comparison="已记录你的判断，谢谢。",
    stored_retraction="你的评价已撤回。",
    already="之前已经记录过了。",
    nothing_to_retract="没有你的评价可以撤回。",
    nothing_to_rate="还没有可以评价的回答。",
    correction_empty="请在命令后面写上更好的回答：/correct 更好的回答。",
    correction_same="这和原来的回答一样。请写出它本该是什么样。",
    consent_question=(
        "Parley 可以向你学习吗？如果同意，你的评价以及从现在起你对机器人说的话会被保留，并可能用来训练它。"
        "如果不同意，你可以照常聊天，你的任何内容都不会用于训练，消息会在 {days} 天后删除。你随时可以改变主意。"
    ),
    consent_question_held=(
        "Parley 可以向你学习吗？如果同意，你的评价以及从现在起你对机器人说的话会被保留，并可能用来训练它。目前来自 "
        "Discord 的内容不会训练任何模型：没有 Discord 的许可就不允许，而这个机器人没有该许可。你对两个回答的比较会"
        "帮助决定由哪个版本服务，此外评价只是保存着，"
        "暂时没有用处。如果不同意，你可以照常聊天，你的任何内容都不会被使用，消息会在 {days} 天后删除。"
        "你随时可以改变主意。"
    ),
    consent_first="只有得到你的同意才会保留评价：先看 /privacy，再输入 /consent yes。这一条没有保留。",
    consent_given="谢谢。从现在起，你的评价和你说的话可以用来训练机器人。之前说的话不算，所以只有从现在起新开始的对话，评价才用得上。",
    consent_given_held=(
        "谢谢。从现在起你的评价会被保留，你的比较会帮助决定由哪个版本服务；目前 Discord 上的内容不会训练任何模型。"
    ),
    consent_refused="明白了：不会使用你的任何内容，包括以前的评价，也不再保留新的评价。",
    consent_unanswered="尚未回答",
    yes="是，我同意",
    no="不同意",
    take_back="撤回",
    not_yours="只有提问的人可以停止这个回答。",
    privacy=(
        "保留的内容：你的消息和机器人的回答，以化名保存在运营者自己的机器上。{training}"
        "没有同意的人的文字会在 {days} 天后删除。你的选择：{consent}。"
    ),
    training="得到你的同意后，它们可能用来训练这个机器人；没有同意就不会用于训练。",
    training_held="目前无论你是否同意，来自 Discord 的内容都不会训练任何模型，因为这个机器人没有 Discord 的许可。",
    serving="现在由第 {release} 号版本回答。",
    serving_base="现在由基础模型回答（0 号版本：还没有训练过）。",
    to_discord="这里是终端。要在 Discord 上聊天，请把令牌写进 DISCORD_TOKEN（.env 或环境变量），然后重新启动。",
    for_help="/help 列出命令，/quit 退出。",
    starting="正在启动引擎……",
    you="你> ",
    help=(
        "/up              上一个回答很好\n"
        "/down [原因]     上一个回答不好\n"
        "/correct 文本    上一个回答本该怎么说\n"
        "/again           换一个回答，然后说哪个更好：a、b、tie（一样好）或 bad（都不好）\n"
        "/retract         撤回你对上一个回答的评价\n"
        "/stop            停止正在生成的回答（Ctrl-C 也可以）\n"
        "/persona 名字    换一个角色，从头开始\n"
        "/consent yes|no  是否允许用你的评价和话语训练机器人\n"
        "/privacy         保留什么，保留多久\n"
        "/help            这个列表\n"
        "/quit            退出"
    ),
    unknown_command="没有 {name} 这个命令。",
    did_you_mean="是不是 {name}？",
    which_is_better="哪个更好，第一个 (a) 还是第二个 (b)？a、b、tie、bad：",
    not_a_verdict="没有记录判断（a、b、tie、bad 才是判断）。",
    not_comparable="问题或设置在这期间变了，所以不比较这两个回答。",
    no_question="还没有可以重新回答的问题。",
    persona_now="你正在和角色 {name} 聊天。",
    persona_list="可选的角色：{names}。你正在和 {name} 聊天。",
    nothing_runs="没有正在生成的回答。",
    consent_usage="请输入 /consent yes 或 /consent no。你的选择：{consent}。",
    ask_consent="同意吗？[y/N] ",
    goodbye="再见。",
    mention_only="你好！请把问题写在同一条消息里，我就会回答。",
    cannot_read="Discord 不让我看到这条消息的内容。请在消息里提及我，我就会回答。",
    two_answers="这次有两个回答。哪一个更好？谁都可以说。",
    two_coming="两个回答马上就来，请你比较……",
    no_two_answers="没有另一个完整的回答可以和它比较。",
    fix_title="改正这个回答",
    fix_label="应该怎么回答？",
    fix_file="这个回答太长，窗口里放不下：请把更好的回答作为文本文件上传。",
    fix_empty="什么都没写，所以没有改正。",
    fix_unreadable="这不是不超过 {kib} KiB 的 UTF-8 文本文件，所以没有改正。",
    why_title="👎 已记下。哪里不好？",
    why_reasons="选合适的，也可以不选",
    why_comment="也可以用自己的话说",
    reasons=("不真实", "答非所问", "语气或长短", "有害或不允许", "语言不对"),
    rate_this="这个回答怎么样？",
    teaching_off="这个服务器的成员还不能教我，所以什么都没有保存。管理服务器的人可以用 /teaching on 允许。",
    teaching_now_on="从现在起，这个服务器的成员可以打分、比较和改正，每个人都要先自己同意。",
    teaching_now_off="这个服务器上不能再教我了，这里的内容也不会训练任何东西。",
    managers_only="只有能管理这个服务器的人才能决定。",
    deleted="这个回答已经删除，我保存的内容也清除了。",
    not_yours_to_delete="只有提问的人和能管理消息的人才能删除这个回答。",
    not_deleted="我保存的内容已经清除。这里我不能删除消息本身，请能管理消息的人来删除。",
    reported="谢谢。这个服务器的管理员现在看得到它，但看不到是谁举报的。",
    reported_there="⚠️ 我的一个回答被举报了：{link}",
    reports_go="从现在起，被举报的回答会出现在 {channel}。",
    reports_off="现在被举报的回答不会出现在任何频道。",
    reports_missing="这个服务器没有我能写的举报频道，请直接告诉管理员。",
    nothing_to_answer="这条消息里没有可以回答的内容：它来自机器人，或者没有文字。",
    kept="你对我说过的话、你的打分和你关于同意的回答，我保存的都在这个文件里。",
    forget_question=(
        "要清除你的一切吗：你对我说过的话、我的回答、你的打分和改正？清除后无法恢复。已经训练或正在训练的版本"
        "会保留它们学到的东西；之后的版本不再使用这些内容。你在 Discord 上写的消息要由你自己删除。"
    ),
    forget_yes="是的，全部清除",
    forgotten="好了：清除了 {texts} 段文字，以及你的打分。",
    teach=(
        "**怎样教这个机器人**\n"
        "👍 👎 表示回答好不好；👎 会问哪里不好。\n"
        "✏️ 可以写下应该怎么回答，这样教得最多。\n"
        "⚖️ 会并排给出第二个回答，由你说哪个更好。\n"
        "旧的回答：右键，“应用”，“Rate this answer” 或 “Correct this answer”。\n"
        "**之后会怎样**\n{becomes}\n"
        "别人看不到你怎么打分。/privacy 说明保存了什么，/forget 清除，/consent 改变主意。"
    ),
    teach_trains=(
        "运营者会不时用同意者的反馈训练新版本，只有比之前的好才会服务。新版本试用期间，由大家的比较决定它能不能服务。"
    ),
    teach_held=(
        "比较用来在版本之间选择：新版本试用期间，由它们决定它能不能服务。除此之外，来自 Discord 的内容"
        "不会训练任何模型，因为这个机器人没有 Discord 的许可。"
    ),
    teach_off="这个服务器的成员还不能教。管理服务器的人可以用 /teaching on 允许。",
    stats_here="这个服务器到目前为止教了：{counts}，来自 {people} 个人。",
    stats_everywhere="到目前为止教了：{counts}，来自 {people} 个人。",
    stats_serving="现在由{release}回答；到目前为止训练过 {releases} 个版本。",
    stats_trial=(
        "{release}正在试用：大家比较了 {prompts} 个问题的回答，其中 {share:.0%} 更喜欢它的。"
        "要有 {needed} 个问题、{people} 个人才能决定。"
    ),
    stats_no_trial="没有版本在试用。",
    no_answer_here="这不是我还保存着的回答。",
    tie="一样好",
    both_bad="都不好",
    which_was_which="A 来自{first}，B 来自{second}。",
    of_one_release="两个都来自{first}。",
    the_base="基础模型",
    of_release="第 {release} 号版本",
)


def texts(language: str) -> Texts:
    """The sentences for a language tag such as `en`, `zh` or Discord's `zh-TW`; English where there are no others."""
    return ZH if language.lower().startswith("zh") else EN
