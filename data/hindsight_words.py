"""The words by which `data.hindsight` knows what a complaint asks for, and an answer that speaks of the complaint.

English and Chinese, a few in German, French and Spanish.
"""

import re


def _any(*patterns: str) -> re.Pattern[str]:
    """A pattern that matches what one of these does."""
    return re.compile("|".join(patterns), re.IGNORECASE)


# What is asked for, in a complaint.
SHORTER = _any(
    r"\b(?:shorter|briefer|brief(?:ly)?|concise(?:ly)?|less (?:detail(?:s|ed)?|text|words)|longer than"
    r"|too (?:long|wordy|verbose|much|many))\b",
    r"太(?:长|啰嗦|罗嗦|多)|(?:简短|简洁|精简|短)(?:一点|一些|点|些)",
    r"\b(?:kürzer|zu lang|plus court|trop long|más corto)\b",
)
LONGER = _any(
    r"\b(?:longer(?! than)|more (?:detail(?:s|ed)?|specific|text|words)|too (?:short|vague|general|generic))\b",
    r"太(?:短|笼统|敷衍|简单|抽象)|(?:详细|具体)(?:一点|一些|点|些)",
    r"\b(?:länger|genauer|ausführlicher)\b",
)
_NAMES = {
    "en": r"english|englisch|anglais|inglés|英文|英语",
    "de": r"german|deutsch|allemand|alemán|德语|德文",
    "fr": r"french|französisch|français|francés|法语|法文",
    "es": r"spanish|spanisch|espagnol|español|西班牙语",
    "zh": r"chinese|chinesisch|chinois|chino|中文|汉语|普通话",
    "it": r"italian|italienisch|italien|italiano|意大利语",
    "pt": r"portuguese|portugiesisch|portugais|portugués|葡萄牙语",
    "ru": r"russian|russisch|russe|ruso|俄语",
    "ja": r"japanese|japanisch|japonais|japonés|日语|日文",
    "ko": r"korean|koreanisch|coréen|coreano|韩语",
}
# "In plain English" is a manner of speaking.
LANGUAGES = {
    code: _any(rf"\b(?:in|auf|en)\s+(?:{names})\b", rf"(?:用|说|讲)(?:{names})") for code, names in _NAMES.items()
}

# Words of a complaint that tell nothing about the question.
_MANNER = """
no nope nah not never this that these those there here it its he she they i im ive id me you your youre u ur we
one any single even more less much very too way bit little lot kinda can could would will should shall make write
try again over have has had having give gave given get got say said tell told ask asked want wanted mean meant
need answer answers answered reply replies response text version question wrong right correct true false please
thanks thank thx hm hmm oh ow wow come man bro dude lol haha kidding serious why what how if only now then than
as or nor with without about like still already also too very yet some all good bad better worse best look see
check well sorry hey yes ugh wtf omg seriously honestly clearly obviously think believe guess thats isnt
original arent wasnt doesnt dont didnt cant wont whats
"""
MANNER = frozenset(_MANNER.split())
MANNER_ZH = re.compile(
    r"[我你您他她它们这那是的了吗呢吧啊呀嘛就都也又还再很太更最不没有请要能会得地把给让说写做算回答问题答案句话点些个一遍次"
    r"可以麻烦什么怎么样好行对错真只用来去上下里面]"
)

# An answer that speaks of the complaint: how it opens ...
OPENS = _any(
    r"^\W*(?:(?:oh|ah|well|hm+|i(?:'m| am)|so|my|very|really|truly|deeply)\W+)*(?:sorry|apolog\w*|pardon|oops|whoops"
    r"|my (?:bad|mistake|fault)|mistake|regret)\b",
    r"^\W*(?:sure|okay|ok|alright|all right|of course|certainly|absolutely|understood|got it|no problem|no worries"
    r"|gladly|happy to|i see|i understand|i (?:will|'ll)|i'll|fair (?:point|enough)|good (?:point|catch)"
    r"|great (?:point|catch)|noted|right|thanks|thank you)\b(?=\W)",
    r"^\W*(?:非常|真|十分|很|实在)?(?:抱歉|对不起|不好意思|遗憾|是我的错|我的错|谢谢|感谢|好的|好吧|当然|没问题|明白"
    r"|了解|收到|知道了|嗯|哦|啊|可以的?[，,！!。])",
    r"^\W*(?:entschuldig\w*|verzeih\w*|tut mir leid|es tut mir leid|natürlich|gerne|klar|désolé\w*|excuse\w*"
    r"|je m'excuse|bien sûr|lo siento|disculp\w*|perdón|claro|por supuesto)\b",
)
# ... and what it refers to, anywhere in it.
REFERS = _any(
    r"\byou(?:'re| are| were) (?:\w+ )?(?:right|correct)\b|\b(?:for|in) (?:the|my|any|this) (?:\w+ )?"
    r"(?:confusion|mistake|error|misunderstanding|inconvenience|oversight)\b",
    r"\b(?:i|we) (?:\w+ )?(?:apologi[sz]e|misunderstood|misread|was wrong|made (?:a|an) (?:\w+ )?(?:mistake|error))",
    r"\b(?:my|the|your) (?:previous|earlier|last|first|original|prior|initial|above|old) (?:\w+ )?(?:answer|reply"
    r"|response|message|text|version|explanation|statement|attempt|one)s?\b",
    r"\b(?:shorter|longer|briefer|simpler|simplified|shortened|concise|condensed|detailed|corrected|revised|rewritten"
    r"|reworded|updated|improved|better|clearer|casual|informal|formal|translated|new|alternative|different)"
    r" (?:\w+ )?(?:version|answer|reply|response|explanation|summary|attempt|translation|take|one)\b",
    r"\b(?:let me|i(?:'ll| will)|allow me to) (?:\w+ )?(?:try|rephrase|correct|clarify|explain|fix|check|redo"
    r"|rewrite|shorten|simplify|recalculate|do better|be (?:more|less))\b",
    r"\b(?:as|like) (?:i|you) (?:\w+ )?(?:said|mentioned|explained|asked|requested|wanted|pointed)\b"
    r"|\bas requested\b",
    r"\b(?:thank(?:s| you) for (?:\w+ )?(?:pointing|correct|letting|the|your|clarif|catch)|(?:your|the) (?:feedback"
    r"|complaint|correction|patience)|next time|from now on|this time"
    r"|in (?:the )?future,? (?:i|we|please|remember|specify))\b",
    r"\b(?:is|was) (?:this|that|it) (?:\w+ )?(?:better|shorter|clearer|simpler|what you)"
    r"|\bhope (?:this|that) (?:\w+ )?(?:is|helps|works|clarifies|clears)\b|\bbetter\?\s*$",
    r"(?:你|您)(?:说|讲|指出)?(?:得|的)?(?:很|完全|非常|都|是)?(?:对|没错|正确)(?:的|，|。|！|,|!|$)"
    r"|指正|提醒|反馈|纠正",
    r"(?:之前|刚才|刚刚|先前|上一?次|前面|上面|原来)(?:的|我|那|给|说|写|回|答)"
    r"|我(?:理解|说|算|写|搞|弄|答|回答)错|误解了",
    r"(?:更|较)?(?:简短|简洁|简单|精简|短|详细|具体|口语|通俗|随意|修改|修正|更正|改进|重写|重新写|更新"
    r"|正确|中文|英文)"
    r"(?:一点|一些|后|过|化)?的?(?:版本?|回答|答案|说明|解释|译文|表达)",
    r"重(?:写|新(?:回答|解释|写|来|算|说|做|生成|整理|翻译))|让我(?:再|来|重)|希望这(?:次|样|个|能)"
    r"|这(?:次|样)(?:可以|够|好|怎)"
    r"|下次|今后|按(?:照)?(?:您|你)的(?:要求|意思)|如(?:您|你)所",
    r"\b(?:du hast|sie haben|vous avez|tu as|tienes|tiene) (?:recht|raison|razón)|\b(?:kürzere|einfachere|deutsche"
    r"|korrigierte|überarbeitete)\w* (?:fassung|version|antwort|erklärung)|\bversion (?:plus|corrigée|courte|en)\b"
    r"|\bversión (?:más|corregida|corta|en)\b",
)
# Where a language was asked for: an answer that says which one it is in.
NAMES_ITS_LANGUAGE = _any(
    rf"\b(?:in|auf|en|to|into|ins)\s+(?:{'|'.join(_NAMES.values())})\b",
    "|".join(rf"(?:用|以下是?|这是|的)(?:{names})" for names in _NAMES.values()),
)
