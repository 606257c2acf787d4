"""What is said on a Discord server, and to the people who run it, in Chinese."""

from bot.texts.sentences import ServerTexts

SERVER = ServerTexts(
    # discord
    mention_only="你好！请把问题写在同一条消息里，我就会回答。",
    cannot_read="Discord 不让我看到这条消息的内容。请在消息里提及我，我就会回答。",
    cannot_read_thread="Discord 只让我看到提及我的消息，或带提醒回复我的消息。在这个子区里也请这样做。",
    files_left="我只读文本文件，一条消息里总共不超过 {kib} KiB。没有读：{names}。",
    file_unreadable="文件 {name} 已经不在，或者不是 UTF-8 文本，所以无法回答。请以纯文本再发一次。",
    go_on="继续",
    go_on_please="请从你停下的地方接着说。",
    chat_opened="你的子区已经打开：{thread}。",
    chat_not_here="我只能在文字频道里打开子区。在这里直接提及我就可以。",
    chat_refused="我在这个频道里不能打开子区。管理这个频道的人可以允许。",
    chat_write="在这里随便写，不需要提及我。",
    chat_mention="请提及我，或带提醒回复我。Discord 不让我看到其他消息。",
    threads_on="从现在起，这个频道里的第一次提及会在子区里回答。",
    threads_off="提及会直接在这个频道里回答。",
    two_answers="这次有两个回答。哪一个更好？任何人都可以投票。",
    two_coming="两个回答马上就来，请你比较……",
    no_two_answers="没有得到另一个完整而且不同的回答，所以无法比较。",
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
    teaching_off="这个服务器的成员还不能教我，所以什么都没有保存。服务器管理员可以用 {slash}teaching on 允许。",
    teaching_now_on="从现在起，这个服务器的成员可以打分、比较和改正，每个人都要先自己同意。",
    teaching_now_off="这个服务器上不能再教我了，这里的内容也不会用于训练。",
    managers_only="只有服务器管理员才能更改。",
    deleted="这个回答已经删除，我保存的内容也清除了。",
    not_yours_to_delete="只有提问的人和能管理消息的人才能删除这个回答。",
    not_deleted="我保存的内容已经清除。我在这里不能删除消息本身，但版主可以。",
    reported="谢谢。这个服务器的版主现在看得到它，但看不到是谁举报的。",
    reported_there="⚠️ 我的一个回答被举报了：{link}",
    reports_go="从现在起，被举报的回答会出现在 {channel}。",
    reports_off="现在被举报的回答不会出现在任何频道。",
    reports_missing="这个服务器没有我能发言的举报频道，请直接告诉版主。",
    nothing_to_answer="这条消息里没有可以回答的内容：它来自机器人，或者没有文字。",
    kept=(
        "我保存的关于你的一切都在这个文件里：你对我说过的话、你的评价、你对是否同意的回答、"
        "你作为服务器管理员或运营者做过的事，以及我替你打开的子区。"
    ),
    forget_question=(
        "要清除我保存的关于你的一切吗：你对我说过的话、我的回答、你的评价和改正？清除后无法恢复。"
        "已经训练或正在训练的版本会保留它们学到的东西；之后的版本不再使用这些内容。"
        "你写的消息会留在 Discord 上，直到你自己删除。"
        "你作为服务器管理员或运营者做过的事仍留在记录里，但记录里的化名不再指向你。"
        "如果某个服务器的管理员把你列入了名单，要由他们把你移除。"
    ),
    forget_yes="是的，全部清除",
    forgotten="好了：清除了 {texts} 段文字，以及你的评价。",
    teach=(
        "**怎样教这个机器人**\n"
        "👍 👎 表示回答好不好；👎 会问哪里不好。\n"
        "✏️ 可以写下应该怎么回答，这样教得最多。\n"
        "⚖️ 会并排给出第二个回答，由你说哪个更好。\n"
        "旧的回答：右键，“应用”，“给这个回答打分”或“改正这个回答”。\n"
        "**之后会怎样**\n{becomes}\n"
        "其他成员看不到你怎么打分；机器人的运营者看得到，但只看到化名。"
        "{slash}privacy 说明保存了什么，{slash}forget 可以清除它们，"
        "{slash}consent 可以改变主意。"
    ),
    teach_trains=(
        "运营者会不时用已同意的人的评价训练新版本；只有比之前的好，新版本才会服务。新版本试用期间，由大家的比较决定它能不能服务。"
    ),
    teach_followups=(
        "如果你同意过，你在回答之后接着说的话也算一点分量，除非你评价了那个回答：道谢或继续聊算好评，抱怨、叫停或把同一个问题再问一遍算差评。"
        "如果我的下一个回答按你的抱怨改好了，会稍微算作比前一个好。"
    ),
    teach_held=(
        "比较用来在版本之间选择：新版本试用期间，由它们决定它能不能服务。除此之外，来自 Discord 的内容"
        "不会用来训练模型，因为这个机器人没有得到 Discord 的许可。"
    ),
    teach_off="这个服务器的成员还不能教我。服务器管理员可以用 {slash}teaching on 允许。",
    lessons_change_discord="用 {slash}lessons 加上编号和 edit 或 remove，可以修改或移除一条。",
    lessons_to_accept="成员在这个服务器上教的内容，在你接受之前只对教的人自己有效：",
    lessons_accept_how="用 {slash}lessons 加上编号和 accept，可以让一条对这里所有人有效；用 decline 取消。",
    lesson_not_here="这个服务器上没有第 {number} 条。",
    lesson_accepted="从现在起，这个服务器上任何人问类似的问题时，模型都会看到第 {number} 条。",
    lesson_was_hidden="它来自不是所有人都能看到的频道；用 decline 可以收回。",
    lesson_declined="从现在起，第 {number} 条只对教它的人自己有效。",
    faq_imported=(
        "{file}：新增 {new} 条，更改 {changed} 条，已有 {there} 条。这个服务器上有人问类似的问题时，模型会看到答案，"
        "回答下面会注明出自哪一条。"
    ),
    faq_again="文件里问题重复的有 {count} 条，以最后的答案为准。",
    faq_too_long="有 {count} 条太长，放不进提示里，模型看不到它们；第一条是 {entry}。请拆开后再导入一次。",
    faq_unusable="什么都没有导入。{problem}",
    faq_large="什么都没有导入：文件超过 {kib} KiB。请把它拆开。",
    faq_unread="什么都没有导入：Discord 没有把文件交过来。请再试一次。",
    faq_most=(
        "什么都没有导入：加上这个文件，服务器会有 {count} 条，而最多只能有 {most} 条。"
        "可以先用 {slash}faq remove 移除一些。"
    ),
    faq_none="这个服务器还没有常见问题。{slash}faq import 可以导入一个写有问题和答案的文件。",
    faq_list="这里有人问类似的问题时，模型会看到这些答案：",
    faq_how="{slash}faq remove 可以按编号移除一条，或按文件名移除整个文件的条目。",
    faq_missing="没有这个编号的条目，也没有这个名字的文件；{slash}faq list 会列出它们。",
    faq_removed="已移除并清除 {count} 条，参考它们给出的回答也一并清除。",
    stats_here="这个服务器到目前为止教了：{counts}，来自 {people} 个人。",
    stats_everywhere="到目前为止教了：{counts}，来自 {people} 个人。",
    stats_serving="现在由{release}回答；到目前为止训练过 {releases} 个版本。",
    stats_trial=(
        "{release}正在试用：大家比较了 {prompts} 个问题的回答，其中 {share:.0%} 更喜欢它的回答。"
        "要有 {needed} 个问题、{people} 个人才能决定。"
    ),
    stats_left="学过已离开的人的内容的版本：{releases}。版本会保留学到的东西；下一轮从基础模型开始的训练不再包含这些内容。",
    stats_no_trial="没有版本在试用。",
    no_answer_here="我已经没有保存这个回答了。",
    tie="一样好",
    both_bad="都不好",
    which_was_which="A 来自{first}，B 来自{second}。",
    of_one_release="两个都来自{first}。",
    the_base="基础模型",
    of_release="第 {release} 号版本",
    # operators, and what people see of learning
    vote_up="你对这个回答的评价是 👍。",
    vote_down="你对这个回答的评价是 👎。",
    vote_none="你还没有评价这个回答。",
    consent_changed=(
        "你以前同意过旧的说明，对当时说的话仍然有效。现在的做法有了变化，所以在保留你的新评价之前，请再回答一次："
    ),
    operators_only="只有运营这个机器人的人才能这样做：应用的所有者、它的团队，以及 PARLEY_OPERATORS 里写的人。",
    audit_managers_only="只有服务器管理员才能查看。",
    audit_newest="服务器管理员和运营者做过的事，新的在前：",
    audit_empty="这里还没有记录。",
    audit_you="你",
    stats_rounds="到目前为止训练了 {rounds} 轮，其中 {promoted} 个版本被关卡放行。",
    stats_learnt=("每个版本对当时的冠军版本的胜率，以及关卡所看的区间。虚线是一半；● 当过冠军，○ 没有。"),
    stats_trial_few=(
        "{release}正在试用：大家比较了 {prompts} 个问题的回答。要有 {needed} 个问题、{people} 个人才能决定；"
        "人数更少时，不显示他们更喜欢哪个。"
    ),
    stats_picture="每个版本的胜率和区间。{figures}。",
    stats_trial_counting="{release}正在试用，目前的结果还在统计，请稍后再问。",
    # how far it is to the next verdict (`bot.progress`)
    far="离下一次裁决还有多远：{parts}。",
    far_and="，",
    far_lacking="{have}/{needed}",
    far_enough="{part}（已够）",
    far_prompts="留出的问题 {count} 个",
    far_pairs="训练评审用的对比 {count} 对",
    far_thumbs="👍 和 👎 至少各 {count} 个",
    far_people="评价过的人 {count} 个",
    far_trial_prompts="试用中比较过的问题 {count} 个",
    far_trial_people="参与试用比较的人 {count} 个",
    next_prompts="下一步：再比较或改正大约 {more} 个问题的回答，其中约 {lacks} 个会被留出。",
    next_pairs="下一步：再比较或改正大约 {more} 个回答，其中约 {lacks} 个会用来训练评审。",
    next_thumbs_up="下一步：再给 {lacks} 个回答 👍。",
    next_thumbs_down="下一步：再给 {lacks} 个回答 👎。",
    next_people="下一步：还需要 {lacks} 个人来评价回答。",
    next_trial_prompts="下一步：再比较 {lacks} 个问题的试用版本的回答。",
    next_trial_people="下一步：还需要 {lacks} 个人来比较试用版本的回答。",
    next_enough="下一步：数量够了，运营者可以训练一轮。",
    far_counting="离下一次裁决还有多远，正在统计，请稍后再问。",
    gate_yes="关卡：放行",
    gate_no="关卡：拒绝",
    gate_silent="未评判",
    rounds_paused_since="从 {when} 起暂停训练；{slash}release resume 可以恢复。",
    engine_well="引擎正常应答。",
    engine_away="引擎没有应答，原因在它的日志里。",
    status_load="服务器：{servers} 个。正在回答：{running}，排队：{waiting}。已运行 {uptime}。",
    duration="{days} 天 {hours} 小时 {minutes} 分钟",
    serves_already="现在的冠军已经是它了：{release}。",
    of_other_bases="属于其他基础模型、现在不能使用的版本：{numbers}。",
    no_such_release="没有第 {number} 号版本。最新的有：{numbers}；0 是基础模型。",
    promote_anyway="仍然要让它服务的话，请把选项 `anyway` 设为 True。",
    promote_question="让{release}代替{champion}来服务吗？正在运行的机器人会自己换上它。",
    promote_yes="是的，让它服务",
    gate_never_asked="关卡没有评判过这个版本。",
    gate_said_yes="关卡放行了它。{reasons}",
    gate_said_no="关卡拒绝了它。{reasons}",
    gate_compared_with="当时是和{release}比较的，它现在不在服务。",
    superseded="这期间有别的版本成了冠军，所以什么都没有改变。请先看 {slash}release status。",
    promoted="好了：现在由{release}服务，之前是{before}。{slash}release rollback 可以退回。",
    no_earlier_champion="没有更早的冠军可以退回。",
    rolled_back="好了：{release}重新服务；{before}还保留着，可以再次启用。",
    rounds_paused_now="训练已暂停：在 {slash}release resume 之前不会开始新的一轮。正在进行的会继续。",
    rounds_paused_already="训练之前已经暂停了。",
    rounds_resumed_now="可以重新开始训练了。",
    rounds_not_paused="训练没有暂停。",
    # rules: who is answered, how often, by which persona
    comma="、",
    access_person="这个服务器的管理员不允许我在这里回答你，也不允许我接受你的评价。",
    access_place="我不在这里回答：这个服务器的管理员在这里把我关闭了。",
    access_unlisted="在这个服务器上，我只回答服务器管理员允许的人和身份组。请联系他们。",
    access_choose="什么都没有改变。请选择人或身份组（`who`）、地方（`where`）或 `everywhere`（整个服务器）。",
    access_full="什么都没有改变：这个名单最多 {most} 条。请先清除一些，或者改用一个很多人都有的身份组。",
    access_people_allowed="我只回答：{names}",
    access_people_blocked="我从不回答：{names}",
    access_places_allowed="我在这些地方回答：{names}",
    access_places_blocked="我不在这些地方回答：{names}",
    access_whole_server="整个服务器",
    access_nothing="没有允许或禁止任何人和地方：我在这个服务器的任何地方回答所有人。",
    access_managers="-# 以最具体的设置为准：依次是子区、频道、类别、服务器。服务器管理员总会得到回答。",
    hourly_person="你在一小时内已得到 {limit} 个回答，这是这里每个人的上限。{minutes} 分钟后可以再问。",
    hourly_channel="这个频道在一小时内已有 {limit} 个回答，这是它的上限。{minutes} 分钟后可以再问。",
    hourly_server="这个服务器在一小时内已有 {limit} 个回答，这是它的上限。{minutes} 分钟后可以再问。",
    hourly_key="这个密钥在一小时内已得到 {limit} 个回答，这是它的上限。请在 {minutes} 分钟后再问。",
    limits_here="这里每小时的回答：{limits}",
    limits_on_server="这个服务器：{limits}",
    limits_installation="整个机器人的设置：{limits}",
    limit_person="每人 {limit} 个",
    limit_channel="每个频道 {limit} 个",
    limit_server="每个服务器 {limit} 个",
    no_limit="没有设上限",
    limits_server_wide="什么都没有改变。给整个服务器设上限时，请选 `where: server`。",
    limits_too_wide="什么都没有改变：这个机器人的运营者最多允许 {limits}。",
    persona_missing="这里没有这个角色。可选的角色：{names}。{nearest}",
    persona_unknown="这个服务器没有写过叫 {name} 的角色。{nearest}",
    persona_ships="这个名字的角色是机器人自带的，不能删除。",
    persona_taken="{name} 这个名字已被机器人自带的角色使用，请换一个。",
    persona_name="角色的名字由 1 到 32 个文字、数字、连字符或下划线组成，不能有空格。",
    persona_most="这个服务器已有 {most} 个角色，不能再多了。请先用 {slash}persona_delete 删除一个。",
    persona_empty="没有保存：角色需要一段说明它是谁的文字。",
    persona_long="没有保存：文字最多 {longest} 个字符，问候语最多 {greeting} 个。请缩短。",
    persona_no_room="没有保存：这段文字要占模型 {tokens} 个词元，最多 {most} 个才能留出对话的空间。请缩短。",
    persona_written=(
        "角色 {name} 已保存。用 `{slash}persona name:{name}` 让它来回答，可以只在这里，也可以在整个服务器。"
    ),
    persona_deleted="角色 {name} 已删除。原来由它回答的地方，现在由更大范围里设定的角色回答。",
    persona_title="角色：{name}",
    persona_becomes=(
        "模型在每个问题之前都会读这段文字，这里的所有人都可能看到它，请不要写任何私人内容。它算作你写的话："
        "只有你在写之前用 {slash}consent 表示同意，大家在这个角色下教的内容才会用于训练；"
        "删除你的数据时，它也会一起删除。"
    ),
    persona_prompt="它是谁，怎样说话？",
    persona_prompt_help="例如：你是一位耐心的图书管理员，回答简短，并说明出处。",
    persona_greeting="它的问候语（可以不写）",
    persona_greeting_help="有人只提及它而没有提问时，它说的话。",
    # running
    interrupted="（回答中断：我中途重启了。点 ↻ 重新回答这个问题。）",
    # who may open a thread and ask again, and answers that found no room
    chat_not_allowed="你不能在这个频道里打开子区，所以我也不替你打开。管理这个频道的人可以允许。",
    chat_enough="你在一小时内已打开 {limit} 个子区，这是每个人的上限。{minutes} 分钟后可以再打开。",
    only_asker_retries="只有提问的人才能让我重新回答，因为我没有保存这个问题。",
    not_shown="回答无法显示：Discord 不让我在这里发言。管理这个频道的人可以允许我。",
    no_files_here="我在这里无权发送文件。请在与我的私信里使用这个命令。",
    # the language of a place
    language_now="在这里，大家都看得到的话和自带的角色用的是{name}。只有你看得到的话用你的 Discord 语言。",
    languages=("英文", "中文"),
    # channels in which the bot speaks by itself
    channel_closed="没有改动：我不能在 {channel} 里发言。请允许我查看那个频道并发送消息。",
    announcements_go="从现在起，新版本会在 {channel} 里公布。",
    announcements_off="这个服务器上不公布新版本。",
    announce_new="🌱 从现在起由{release}来回答。",
    announce_base="🌱 从现在起由另一个基础模型 {base} 来回答。大家教过的内容都保留着，下一轮会用来训练它。",
    announce_back="从现在起重新由{release}来回答。",
    announce_learnt="它学习了 {rows} 个例子，其中有 {people} 个人的反馈。",
    announce_taught="它学习了 {people} 个人的反馈：改正 {corrections} 个，比较 {comparisons} 个，赞和踩 {thumbs} 个，"
    "另有导入的例子 {imported} 个。",
    announce_followups="另有回答之后接着说的话 {followups} 条，分量很轻。",
    announce_mended="被抱怨后改好的回答 {mended} 个。",
    announce_about="其中大部分是关于 {personas} 的回答。",
    announce_shorter="它的回答比之前的版本短 {share}。",
    announce_longer="它的回答比之前的版本长 {share}。",
    announce_checks="检查是否变差的项目有 {checks} 个，其中变差的有 {worse} 个。",
    announce_won="和之前的版本相比，它的回答胜出的比例是 {share}。",
    announce_thanks="感谢每一位打分、比较和改正的人。{slash}stats 显示之后的进展。",
    refusals_go="从现在起，{channel} 每小时显示我拒绝了多少条消息、在哪里、为什么。",
    refusals_off="现在不在任何地方显示被拒绝的消息数。",
    refusals_hour="过去一小时里我拒绝的消息：",
    refusals_line="{channel}：{counts}",
    refusal_reasons=(
        "{count} 条来自被禁止的人",
        "{count} 条因为这里被禁止",
        "{count} 条来自不在允许名单上的人",
        "{count} 条超过每人的限额",
        "{count} 条超过频道的限额",
        "{count} 条超过服务器的限额",
        "{count} 条因为排队的太多",
        "{count} 条来自自己排队太多的人",
        "{count} 条被内容检查拦下",
    ),
    # reactions as votes
    reactions_on="从现在起，给我的回答加上的 👍 和 👎 表情算作评价，前提是每个人自己同意。",
    reactions_off="给我的回答加上的表情不再算作评价。回答下面的按钮仍然有效。",
    reaction_asks="你给我的一个回答加了表情。如果你同意，我就把它算作评价。我只问这一次；不想评价的话，不用理会这条消息。",
    reaction_how="-# 只有同意过的人给我的回答加上的 👍 和 👎 才算作评价：用 {slash}consent yes，或者回答下面的按钮。",
)
