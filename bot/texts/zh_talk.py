"""What everybody reads who talks with the bot, in Chinese."""

from bot.texts.sentences import TalkTexts

TALK = TalkTexts(
    # answering
    waiting="前面还有 {ahead} 个回答。",
    on_its_way="回答正在准备中。",
    queue_full="等待回答的人太多了，请过一分钟再问。",
    queue_full_person="你在这里已有 {waiting} 个问题在排队，请先等它们答完。",
    message_too_long="这条消息太长：占 {tokens} 个词元，最多只能放下 {budget} 个。请缩短一些。",
    empty_answer="（模型没有给出任何内容。可以要求换一个回答，或换个问法。）",
    stopped="（已停止）",
    ended="（回答时我被关闭了。等我回来后请再问一次。）",
    stopped_early="（还没开始就停止了）",
    cut_off="（回答被截断：已达到 {tokens} 个词元的上限）",
    outgrown="（回答被截断：一个回答最多 {characters} 个字符）",
    broke_off="（回答中断：{reason}）",
    internal_error="我这边出了点问题，运营者的日志里有原因。请再试一次。",
    question_gone="原来的问题已经不在了，所以无法重新回答。",
    answer_gone="我已经没有保存这个回答，所以无法评价它。",
    disk_full="我写入的磁盘已满，这次的内容没有保存；之前的内容都还在。请等运营者腾出空间后再试。",
    store_busy="我的数据库正被另一个程序占用，这次的内容没有保存。请过一分钟再试。",
    store_broken="我现在无法使用自己的数据库，这次的内容没有保存；运营者的日志里有原因。",
    # what happened to the engine; the operator's log says more
    engine_unreachable="现在连不上模型。请稍后再试；详情见运营者的日志。",
    engine_failed="模型服务器出错了。请再试一次；详情见运营者的日志。",
    engine_silent="模型太久没有回应，我不再等了。请再试一次，或者问得简短一些。",
    engine_loading="模型还在加载。请过一两分钟再问。",
    engine_busy="模型现在太忙。请稍后再试。",
    engine_busy_for="模型现在太忙。请在 {seconds} 秒后再试。",
    engine_spent="模型服务商不再接受请求：账户的余额或配额已用完。这要由运营者处理，再问也没有用。",
    engine_filtered="模型服务商的过滤器不允许这个问题，所以没有回答。请换一种问法。",
    engine_too_long="内容超过了模型一次能读的长度。请重新开始，或者发短一些的消息。",
    engine_refused="模型服务器拒绝了这个请求。原因见运营者的日志。",
    no_word_left="（模型还没写出第一个字就用完了 {tokens} 个词元，多半是在思考。请重新回答，或者问得简单些。）",
    only_thoughts="（模型想过了，但没有给出回答。请重新回答，或者换一种问法。）",
    part_missing="（回答没有完整送达，可能缺了一部分。）",
    filtered="（模型服务商的过滤器在这里截断了回答，所以不能评价。）",
    filtered_not_rated="这个回答被模型服务商的过滤器截断了，所以不能评价。",
    thoughts_taken_back="（以上是模型的思考。它的回答：）",
    # ratings
    stored_up="你对这个回答的评价现在是 👍，谢谢。",
    stored_down="你对这个回答的评价现在是 👎，谢谢。",
    stored_correction="已记录你的改正，谢谢。你再问类似的问题时，模型会看到它；{slash}lessons 列出你教过的内容。",
    stored_correction_alone="已记录你的改正，谢谢。你再问类似的问题时，模型不会看到它：它太长，或者提问的人没有同意。",
    stored_comparison="已记录你的判断，谢谢。",
    stored_follow_up="这句话已作为回答之后的内容保留。",
    stored_retraction="已撤回：你现在对这个回答没有评价。",
    already="之前已经记录过了。",
    nothing_to_retract="你还没有评价这个回答，所以没有可以撤回的评价。",
    nothing_to_rate="还没有可以评价的回答。",
    correction_empty="请在命令后面写上更好的回答：/correct 更好的回答。",
    correction_same="这和原来的回答一样。请写出它本该怎么说。",
    # consent
    consent_question=(
        "Parley 可以向你学习吗？如果同意，你的评价以及从现在起你对机器人说的话会被保留，并可能用来训练它。"
        "你在回答之后接着说的话（道谢、抱怨、叫停、把同一个问题再问一遍，或者只是继续聊）可能算作对那个回答的评价，但分量很轻；"
        "如果你抱怨之后机器人改好了回答，它可能学着一开始就这样回答。"
        "你的改正还会作为例子给模型看：你问类似的问题时会；服务器管理员接受它，或另外三个人支持它之后，那里任何人问类似的问题时都会；"
        "机器人的运营者接受它之后，所有服务器上都是这样。"
        "如果不同意，你可以照常聊天，你说的话和你的评价都不会被使用，你的消息会在 {days} 天后删除。"
        "你随时可以改变主意。"
    ),
    consent_question_held=(
        "Parley 可以向你学习吗？如果同意，你的评价以及从现在起你对机器人说的话会被保留，并可能用来训练它。"
        "你在回答之后接着说的话（道谢、抱怨、叫停、把同一个问题再问一遍，或者只是继续聊）可能算作对那个回答的评价，但分量很轻；"
        "如果你抱怨之后机器人改好了回答，它可能学着一开始就这样回答。"
        "目前来自 Discord 的内容不会用来训练模型：这需要 Discord 的许可，而这个机器人没有得到许可。"
        "你对回答的比较会帮助决定由哪个版本服务。"
        "你的改正会作为例子给模型看：你问类似的问题时会；服务器管理员接受它，或另外三个人支持它之后，这个服务器上任何人问类似的问题时都会；"
        "机器人的运营者接受它之后，所有服务器上都是这样。除此之外，你的评价只是保存下来，暂时不会使用。"
        "如果不同意，你可以照常聊天，你说的话和你的评价都不会被使用，你的消息会在 {days} 天后删除。"
        "你随时可以改变主意。"
    ),
    consent_first="只有得到你的同意才会保留评价：请先看 {slash}privacy，再输入 {slash}consent yes。这一条没有保留。",
    consent_given=(
        "谢谢。从现在起，你的评价和你说的话可以用来训练机器人。之前说的话不包括在内，"
        "所以只有在你同意之后才开始的对话，评价才算数。"
    ),
    consent_given_held=(
        "谢谢。从现在起你的评价会被保留，你的比较会帮助决定由哪个版本服务，遇到类似的问题时，你的改正会作为例子给模型看；"
        "目前来自 Discord 的内容不会用来训练模型。"
    ),
    consent_refused="明白了。你说过的话和以前的评价都不会使用，也不再保留新的评价。",
    consent_unanswered="尚未回答",
    consent_older="同意过旧的说明，只涵盖说明改变之前说的话",
    yes="是，我同意",
    no="不同意",
    take_back="撤回",
    not_yours="只有提问的人可以停止这个回答。",
    privacy=(
        "保留的内容：你的消息和机器人的回答，以化名保存在运营者自己的机器上，运营者可以阅读。{training}"
        "没有同意的人的文字会在 {days} 天后删除。你的选择：{consent}。"
    ),
    training="得到你的同意后，它们可能用来训练这个机器人；没有同意就不会用于训练。",
    training_held=(
        "目前无论你是否同意，来自 Discord 的内容都不会用来训练模型，因为这个机器人没有得到 Discord 的许可。"
    ),
    # terminal
    serving="现在由第 {release} 号版本回答。",
    serving_other="现在由 {model} 回答，它不是在这里训练的版本。",
    serving_base="现在由基础模型回答（0 号版本：还没有训练过）。",
    to_discord="这里是终端。要在 Discord 上聊天，请把令牌写进 DISCORD_TOKEN（.env 或环境变量），然后重新启动。",
    for_help="/help 列出命令，/quit 退出。",
    starting="正在启动引擎……",
    you="你> ",
    help=(
        "/up              上一个回答很好\n"
        "/down [原因]     上一个回答不好\n"
        "/correct 文本    上一个回答本该怎么说；不写文本，就可以分多行写\n"
        "/again           换一个回答，然后说哪个更好：a、b、tie（一样好）或 bad（都不好）\n"
        "/new             开始新的对话\n"
        "/retract         撤回你对上一个回答的评价\n"
        "/stop            停止正在生成的回答（Ctrl-C 也可以）\n"
        "/persona 名字    换一个角色，开始新的对话\n"
        "/lessons         你问类似的问题时模型会看到的改正；可以修改或移除\n"
        "/stats           到目前为止教了什么，离下一次裁决还有多远\n"
        "/consent yes|no  是否允许用你的评价和消息训练机器人\n"
        "/privacy         保留什么，保留多久\n"
        "/forget          怎样删除你说过的话和你的所有评价\n"
        "/help            这个列表\n"
        "/quit            退出"
    ),
    unknown_command="没有 {name} 这个命令。",
    did_you_mean="是不是 {name}？",
    which_is_better="哪个更好，第一个 (a) 还是第二个 (b)？a、b、tie、bad：",
    not_a_verdict="没有记录判断（a、b、tie、bad 才是判断）。",
    not_comparable="问题或设置在这期间变了，所以不比较这两个回答。",
    not_comparable_taught="给出第一个回答时模型没有看到这条改正，所以不比较这两个回答。",
    no_question="还没有可以重新回答的问题。",
    persona_now="你正在和角色 {name} 聊天。",
    persona_list="可选的角色：{names}。你正在和 {name} 聊天。",
    from_entry="（见 {entry}）",
    with_correction="（模型在回答前看到了一条改正。）",
    lessons_none="你还没有教过什么：改正一个回答，再问类似的问题试试。",
    lessons_mine="你问类似的问题时，模型会看到它该怎么回答：",
    lessons_line="{number}. {question} → {answer}{scope}{hidden}{learnt}",
    lessons_learnt="（已学会，模型不用再看它）",
    lessons_hidden="（来自不是所有人都能看到的频道）",
    lessons_on_server="（对整个服务器有效）",
    lessons_everywhere="（对所有服务器有效）",
    lessons_more="……还有 {count} 条，见第 {page} 页。",
    lessons_change="/lessons remove 编号：移除一条；/lessons edit 编号 文本：修改它该怎么回答；"
    "/lessons page 2：更早的内容。",
    lesson_gone="你教过的内容里没有第 {number} 条。",
    lesson_removed="模型不再看到第 {number} 条。你的改正仍保留在你的评价里。",
    nothing_runs="没有正在生成的回答。",
    forget_usage="要删除你说过的话和你的所有评价，请用 /quit 退出，然后运行：python -m data forget {name}",
    consent_usage="请输入 /consent yes 或 /consent no。你的选择：{consent}。",
    ask_consent="同意吗？[y/n] ",
    yes_or_no="请回答 y（是）或 n（否）。",
    ask_new="这次对话是在你同意之前开始的，所以不会用于训练。现在开始新的对话吗？[y/n] ",
    begun_anew="新的对话开始了：模型不再看到之前说的话。",
    correction_lines="请写出更好的回答，可以写很多行。只有一个点（.）的一行表示写完。",
    goodbye="再见。",
    # moderation
    moderated_question="这个问题我不回答：里面有这里不允许的内容。你写的没有保存。",
    moderated_self_harm=(
        "听起来你现在很难受，而我只是一个程序。请马上找人谈谈：你信任的人、医生，或者当地的心理援助热线和急救服务。"
        "他们就是为此而在的，任何时候都可以。你写的没有保存。"
    ),
    moderated_answer="（这个回答我收回了：里面有这里不允许的内容。可以再问一次。）",
    moderated_rating="里面有这里不允许的内容，所以没有保存。请换个说法。",
    moderation_away="这里写的内容要先检查，而检查暂时不可用。什么都没有保存，请稍后再试。",
    moderation_away_answer="（这个回答无法检查，所以不显示。请稍后再问。）",
    privacy_checked_outside="在回答之前，你写的内容和机器人的回答会发给外部服务，检查有没有不允许的内容。",
    # what a question refers to and was not read
    quoted_left="（你引用的消息里有没读的内容：{names}。我只读文本文件，一条消息里总共不超过 {kib} KiB。）",
    quoted_hidden="（Discord 不让我看到你回复的那条消息的内容。请把它的文字写进你的问题里，我就能读到。）",
    quoted_gone="（你回复的那条消息已经不在了，所以我没有参考它。）",
    quoted_unread="（我读不到你回复的那条消息，所以没有参考它。）",
    quoted_too_long="（你回复的内容太长，我没有全部读完。）",
    earlier_unread="（在你回复的那条消息之前的内容，我没有全部读到。）",
    # beginning anew
    anew="新的对话",
    anew_offer="用 {slash}new 可以开始新的对话。",
    anew_begun="新的对话从这里开始。之前说的话不会被清除，但除非你回复它们，我不再参考。",
    anew_nothing="没有需要结束的对话：你的下一条消息本来就会开始新的对话。",
    anew_replies="在这个频道里，每次提及我（不是回复）都会开始新的对话，回复则接着原来的对话。所以直接再提及我一次就行，不要用回复。",
)
