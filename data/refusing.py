"""Whether an answer refuses what was asked, by its words: English and Chinese, full refusals."""

import re

# Characters of an answer that are looked at: a refusal stands at the beginning.
BEGINNING = 240

# Things that one refuses to do; "I can't wait" and "I can't recommend it enough" are not refusals.
_DEEDS = (
    r"(?:(?:really |fully |ethically |in good conscience |directly |possibly )*(?:help(?! but| myself| \w+ing\b)"
    r"|assist|provide|give|offer|answer|comply|fulfil?l|support|share|discuss|write|create"
    r"|generate|do (?:that|this)|engage|participate|advise|tell you|condone|encourage|promote|respond|continue|teach"
    r"|explain how|show you|recommend (?:that you|any|ways|doing)|suggest))\b"
)
_ENGLISH = (
    rf"\bi (?:can(?:no|')?t|can not|am not able to|am unable to|won't|will not|could not|couldn't|must not) {_DEEDS}",
    rf"\bi(?:'m| am) (?:not willing|not going) to {_DEEDS}",
    r"\bi(?:'m| am) (?:not able|unable|not allowed|not permitted) to\b",
    r"\bi(?:'m| am) (?:not comfortable|uncomfortable) (?:with )?\w+ing\b",
    r"\bi (?:have to|must|will have to|need to|respectfully|'ll have to) (?:refuse|decline)\b",
    r"\bi (?:refuse|decline) to\b",
    r"\bi (?:don't|do not) have the (?:ability|capability|permission) to\b",
    r"\bi(?:'m| am) (?:very |so |really |truly )?sorry,? but (?:i|that|this|as)\b(?! (?:think|believe|can (?!not)))",
    r"\b(?:i apologi[sz]e|my apologies|apologies),? but (?:i|as)\b(?! (?:think|believe|can (?!not)))",
    r"\bas an (?:ai|artificial)\b[^.!?\n]{0,60}\bi (?:can(?:no|')?t|can not|am (?:not able|unable)|won't|will not)\b",
    r"\b(?:it is|it's|that is|that's|this is) (?:not something i can|against my)\b",
    r"\bthis (?:goes|is) against my\b|\bnot (?:something|a request) (?:that )?i can\b",
)
_NOT = r"(?:不能|无法|不可以|不会|没办法|没法|不便|拒绝|不得|恕难|恕不能)"
_DEEDS_ZH = (
    r"(?:帮|提供|回答|给出|告诉|协助|支持|满足|参与|分享|讨论|撰写|编写|写|教|生成|继续|说明|解释|答应|做|建议|推荐"
    r"|给你|给您)"
)
_CHINESE = (
    rf"(?:我|本助手|恕我)(?:们)?(?:也|都|真的|实在|是|绝对|暂时|目前)*{_NOT}[^。！？，\n]{{0,10}}{_DEEDS_ZH}",
    rf"(?:抱歉|对不起|不好意思|很遗憾)[^。！？\n]{{0,30}}{_NOT}",
    rf"作为(?:一个|一名|一款)?(?:人工智能|AI|ai|语言模型|助手)[^。\n]{{0,40}}{_NOT}",
    r"(?:恕难从命|恕我拒绝|我(?:必须|只能|得)?拒绝|无可奉告|爱莫能助)",
    rf"(?:这|这个|该|此)(?:类)?(?:请求|问题|要求|忙|件?事)[^。！？\n]{{0,10}}我{_NOT}",
    rf"^{_NOT}(?:帮|提供|回答|协助)",
)
_REFUSALS = [re.compile(pattern, re.IGNORECASE | re.MULTILINE) for pattern in (*_ENGLISH, *_CHINESE)]


def is_refusal(answer: str) -> bool:
    """Whether an English or Chinese answer refuses what was asked, judged by its beginning. An empty one does not."""
    beginning = answer.strip()[:BEGINNING].replace("\u2019", "'")  # a curly apostrophe
    return any(pattern.search(beginning) for pattern in _REFUSALS)
