"""What is said on the web page, in Chinese."""

from bot.texts.sentences import WebTexts

WEB = WebTexts(
    web_skip="跳到对话",
    web_menu="菜单",
    web_new="新对话",
    web_conversations="你的对话",
    web_no_conversations="还没有。",
    web_conversation="对话",
    web_erased="（已删除）",
    web_write="你的消息",
    web_send="发送",
    web_send_how="Enter 发送，Shift+Enter 换行。",
    web_stop="停止",
    web_persona="角色",
    web_persona_choose="选择",
    web_you="你",
    web_bot="Parley",
    web_thinks="模型的思考",
    web_up="好回答",
    web_down="不好的回答",
    web_correct="改正",
    web_again="换一个回答",
    web_two="比较两个",
    web_place="第 {place} 个回答，共 {count} 个",
    web_earlier="上一个回答",
    web_later="下一个回答",
    web_which="有两个回答，哪个更好？",
    web_a_better="A 更好",
    web_b_better="B 更好",
    web_save="保存",
    web_cancel="取消",
    web_changes="你改了什么",
    web_here="你在这里写的内容不经过 Discord。如果你同意，它可以用来训练这个机器人。",
    web_here_agreed="你在这里写的内容不经过 Discord。你已同意，所以它可以用来训练这个机器人。",
    web_after_yes="即使你现在同意，这段对话也不会用于训练，因为它在那之前就开始了；新的对话才算。",
    web_teach="怎样教它",
    web_teach_how=(
        "👍 👎 表示回答好不好；👎 会问哪里不好。\n“改正”让你写出应该怎样回答，这样教得最多。\n"
        "“比较两个”把另一个回答放在旁边，由你说哪个更好。"
    ),
    web_becomes="之后会怎样",
    web_so_far="到目前为止",
    web_lessons="你教过的内容",
    web_lesson_change="修改",
    web_lesson_remove="移除",
    web_question="问题",
    web_answer="回答",
    web_ratings="你的评价",
    web_no_ratings="你还没有评价过任何回答。",
    web_kinds=("评价 👍", "评价 👎", "比较", "改正", "举报", "撤回评价"),
    web_open="打开",
    web_privacy="隐私",
    web_export="下载保存的所有关于你的内容",
    web_forget="删除保存的所有关于你的内容",
    web_sign_in="登录",
    web_sign_out="在所有设备上退出",
    web_welcome="和这个社区的机器人聊天，并教它：你的评价和改正会让下一个版本更好。",
    web_with_discord="用 Discord 登录",
    web_by_link="在 Discord 上对机器人输入 {slash}web：它会给你一个个人链接，你用它在这里登录后是同一个人。",
    web_as_guest="以访客身份聊天",
    web_guest_how="访客没有账号：只有这个浏览器能找回你说过的话，所以请保留它的 Cookie。",
    web_operator="这个机器人由我运行：打印链接",
    web_operator_how="链接会打印在机器人运行的地方，所以只有你能看到。",
    web_operator_printed="链接已打印在机器人运行的地方，请在 15 分钟内打开。",
    web_operator_link=(
        "网页地址：{address}\n以运营者身份登录（只能用一次，{minutes} 分钟内有效）：{link}\n"
        "在网页的登录页可以让这里再打印一个。"
    ),
    web_link_question="这个个人链接会让你以对应的人的身份登录，只能用一次。",
    web_link_over="这个链接已经用过，或者过期了。请再要一个新的。",
    web_discord_failed="Discord 没有说明你是谁。请再试一次。",
    web_gone="这里什么也没有，或者它不属于你。",
    web_forged="这个表单太旧，或者来自别的页面。请重新加载页面，再做一次。",
    web_too_often="你的地址尝试次数太多。请在 {minutes} 分钟后再试。",
    web_too_long="一段文字最多 {characters} 个字符。请缩短一些。",
    web_empty="请先写点什么。",
    web_link=(
        "这是你进入网页的个人链接。它只能用一次，{minutes} 分钟内有效，只给你一个人用：{link}\n"
        "你在那里写的内容不经过 Discord：在你同意之后，它可以用来训练这个机器人。"
    ),
    web_off="这个机器人目前没有网页，运营者可以打开它。",
    web_teach_there=(
        "你在网页上写的内容不经过 Discord，所以在你同意之后可以用来训练这个机器人。{slash}web 给你个人链接：{address}"
    ),
)
