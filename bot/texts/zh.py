"""The bot's sentences in Chinese."""

from bot.texts.words import Texts

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
    # running
    interrupted="（回答中断：我中途重启了。点 ↻ 重新回答这个问题。）",
)
