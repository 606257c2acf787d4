"""The words by which `data.followups` knows thanks, complaints and a stop: English and Chinese, a few in others."""

import re
from typing import NamedTuple

SURE, LIKELY, UNSURE = 0.9, 0.7, 0.5  # how certain a complaint is; only sure ones count after a question of the bot

# Where what is thought of an answer begins: at the beginning, after a comma, or after a word that leads to it.
_AT = (
    r"(?:^\W*|[,;:()\-]\s*)(?:(?:but|and|oh|ah|hm+|well|sorry|ok(?:ay)?|no(?:pe)?|nah|thanks|thank you|still|so"
    r"|wait|um|er|yeah|man|bro|dude|actually|seriously|i think|i believe|see|look|lol|haha)\b[,\s]*)*"
)
_IT = r"(?:that|this|it|the answer|your answer)"
_IS = r"(?:'s|s| is| was)"
_VERY = r"(?: (?:just|still|so|completely|totally|simply|also|really|very|even|all|obviously|clearly|plain))*"
_BAD = (
    r"(?:wrong|incorrect|false|untrue|nonsense|useless|unhelpful|bullshit|bs|rubbish|garbage|terrible|awful|bad"
    r"|boring|disappointing|confusing|inaccurate|made up|way off|off topic|irrelevant|a lie|weird|dumb|stupid"
    r"|(?:the )?opposite|longer than|outdated|an? (?:illegal|invalid|bad|wrong|terrible) \w+)"
)
_NOT = r"(?: is not| isn'?t|'s not|s not| was not| wasn'?t)"
_DOES_NOT = r"(?:does not|doesn'?t|did not|didn'?t|do not|don'?t|won'?t|will not)"
_TOO = (
    r"too (?:long|short|formal|informal|complicated|complex|vague|much|many|technical|generic|general|simple|wordy"
    r"|verbose|hard|modern|fast|slow|late)"
)
_FORM = (
    r"(?:shorter|longer|briefer|simpler|clearer|slower|easier|brief(?:ly)?|concise(?:ly)?|simply"
    r"|(?:more|less) (?:detail(?:s|ed)?|specific|concise|brief|casual|formal|simply|clearly|explicit|precise"
    r"|text|words|technical|serious|markdown formatting))"
)
_LANGUAGE = r"(?:english|german|french|spanish|chinese|italian|portuguese|russian|japanese|korean|dutch|polish)"
_NUMBER = r"(?:one|two|three|four|five|\d+)"
_END = r"[\s.!]*$"
_PLEASE = r"(?:\s*,?\s*(?:please|pls|plz|bitte))?"
# In Chinese: at the beginning, after punctuation, or after a word for the answer.
_ZH = r"(?:^|[，,；;：:\s]|这|这个|这也|这样|那|你|你的|回答|答案|还是|有点|感觉|好像|都|又|但是|不过|可是|也)"


class Complaint(NamedTuple):
    """A pattern of a complaint; `asks` says that it is one in a question too."""

    pattern: re.Pattern[str]
    certainty: float
    asks: bool = False


def _any(*patterns: str) -> re.Pattern[str]:
    """A pattern that matches what one of these does."""
    return re.compile("|".join(patterns), re.IGNORECASE)


def _rule(pattern: str, certainty: float, *, asks: bool = False) -> Complaint:
    return Complaint(re.compile(pattern, re.IGNORECASE), certainty, asks)


COMPLAINTS = (
    # -- it is wrong
    _rule(rf"{_AT}{_IT}{_IS}{_VERY} {_BAD}\b(?! (?:to|that|with|for)\b)", SURE),
    _rule(
        rf"{_AT}{_IT}{_NOT}{_VERY} (?:right|correct|true|funny|helpful|useful|good|what i\b|an? \w|it\b"
        r"|entertaining|enough|how\b|the \w)",
        SURE,
    ),
    _rule(rf"{_AT}{_IT}(?: still)? {_DOES_NOT} (?:even )?(?:answer|help|make (?:any )?sense|look|seem|sound)", SURE),
    _rule(rf"{_AT}{_IT}(?: still)? {_DOES_NOT} (?:work|compile|run|match|fit|exist|count|rhyme)\b", LIKELY),
    _rule(rf"{_AT}(?:it )?still (?:crashes|fails|wrong|broken|not\b|the same|an? error)", LIKELY),
    _rule(
        r"^\W*(?:that'?s |this is )?(?:wrong|incorrect|false|useless|nonsense|rubbish|boring|ugh+|lame)[\s.!,]*$",
        SURE,
    ),
    _rule(r"^\W*(?:wrong|incorrect|false)[,!]", SURE),
    _rule(r"^\W*(?:no(?:pe)?|nah)\W+(?:it|that|this|he|she|they|there)(?:'s| is| was| are| were|s)\b", LIKELY),
    _rule(r"^\W*(?:no(?:pe)?|nah)\W+(?:i did(?: not|n'?t)|you|not (?:like|that)|that)\b", LIKELY),
    _rule(r"^\W*nope?[\s.!]*$", UNSURE),
    _rule(r"^\W*actually,? (?:it|he|she|they|that|this|there) (?:is|was|are|were|ended|began|has|had)\b", LIKELY),
    _rule(
        r"\bi (?:do not|don'?t|dont) (?:believe|think) (?:that |it |this )*.{0,30}(?:is|'s)? ?(?:right|correct"
        r"|true)\b",
        LIKELY,
    ),
    _rule(r"\b(?:check|count|calculate|look) (?:it |that )?again\b", LIKELY),
    # -- the bot did wrong
    _rule(
        r"\byou(?:'re| are|r) (?:\w+ )?(?:wrong|mistaken|lying|useless|stupid|dumb|making (?:this|that|it) up"
        r"|overdoing)",
        SURE,
    ),
    _rule(
        rf"{_AT}you (?:suck|lied|misunderstood|ignored|forgot|missed|hallucinated|made (?:that|this|it) up)\b", SURE
    ),
    _rule(
        rf"{_AT}you {_DOES_NOT} (?:even )?(?:answer|give|provide|explain|read|listen|understand|follow|mention"
        rf"|know)",
        LIKELY,
    ),
    _rule(rf"{_AT}you(?:'ve| have)? (?:already|just) (?:told|said|repeated|repeat)\b|\bstop repeating\b", LIKELY),
    _rule(r"\b(?:wtf|are you (?:kidding|serious|joking)|for nothing|waste of time|this sucks)\b", SURE, asks=True),
    _rule(r"^\W*(?:oh )?(?:great|wow|nice|brilliant)\W+another (?:wrong|useless|bad)", SURE),
    _rule(r"^\W*why not\?{2,}", UNSURE, asks=True),
    # -- it is not what was asked for
    _rule(
        r"^\W*(?:(?:wow|ok|okay|well|no|but|hey|like)\W+)*i (?:just |only |actually |clearly )?(?:asked|said"
        r"|told you|wanted)\b",
        LIKELY,
    ),
    _rule(
        r"^\W*(?:no\W+)?(?:i (?:was asking|meant) (?!my\b|his\b|her\b|me\b|him\b|our\b|by\b|to\b)"
        r"|(?:that'?s )?not what i)",
        LIKELY,
    ),
    _rule(r"\bi (?:was hoping|would (?:have )?(?:like|prefer)(?:red|d)?) (?:for )?(?:more|an? |the )", UNSURE),
    _rule(r"\bi did(?: not|n'?t|nt) (?:mean|ask|want|say)\b", LIKELY),
    _rule(
        rf"{_AT}i (?:still )?(?:do not|don'?t|dont|can'?t|cannot) (?:understand|get|follow)(?: (?:it|this|that"
        rf"|you|a word.*|any .*|what you.*|how .*))?[\s.!,]*(?:$|,)",
        LIKELY,
    ),
    _rule(
        r"\bnot (?:quite )?sure what you mean\b|\bhard time understanding\b|\bstill don'?t (?:get|understand) it\b",
        LIKELY,
    ),
    # -- another form
    _rule(
        rf"^\W*(?:(?:no|nope|ok|okay|hm+|and|but|please|make it|write it|a (?:bit|little)|much|way"
        rf"|still)\W+)*{_FORM}(?: version)?{_PLEASE}{_END}",
        LIKELY,
    ),
    _rule(
        rf"\b(?:make|write|keep|explain|say|put|phrase|do) (?:it|that|this)(?: \w+)? ?(?:a (?:bit|little) "
        rf"|much )?(?:more )?{_FORM}(?:\b.{{0,12}})$",
        LIKELY,
        asks=True,
    ),
    _rule(
        rf"\b(?:can|could|would) you (?:please |pls )?(?:be|explain|make (?:it|that|this)|use|write"
        rf"|give)? ?(?:a (?:bit|little) )?{_FORM}\W*$",
        LIKELY,
        asks=True,
    ),
    _rule(
        r"\b(?:in (?:layman'?s|simpler|simple|plain|educational) (?:terms|words|english)|simplistic|eli5)\b",
        LIKELY,
        asks=True,
    ),
    _rule(rf"{_AT}(?:{_IT} is |{_IT}'?s |the \w+ is )?(?:way |far |much |a bit |a little )?{_TOO}\b", LIKELY),
    _rule(rf"\b(?:seems?|looks?|sounds?) (?:\w+ )?{_TOO}\b", LIKELY),
    _rule(
        rf"^\W*(?:no\W+)?(?:please )?(?:(?:answer|write|say it|speak|reply) )?in {_LANGUAGE}{_PLEASE}{_END}", LIKELY
    ),
    _rule(
        rf"^\W*(?:just |only |in )*{_NUMBER} (?:word|sentence|line|paragraph|example)s?{_PLEASE}(?: only)?{_END}",
        UNSURE,
    ),
    _rule(
        r"^\W*(?:please )?(?:try|do|write|answer|explain) (?:it |that |this )?(?:again|over)\b(?!.*\bnow\b)", LIKELY
    ),
    _rule(r"^\W*(?:redo|rewrite|rephrase)(?: (?:it|that|this))?\W*$", LIKELY),
    # -- Chinese
    _rule(rf"{_ZH}(?:完全|根本|明显|就|全)?(?:不对(?!劲)|不正确|不准确|不是这样)", SURE),
    _rule(r"^\W*(?:不行|错误|错)[\W]*$", SURE),
    _rule(r"(?<!我)(?<!我说)(?<!我做)(?<!我算)(?<!我写)错了(?!吗)(?!怎么)", LIKELY),
    _rule(r"翻译得不|(?:写|说|答|讲|翻|算)得(?:不|太差|不好|一般)", LIKELY),
    _rule(r"答非所问|胡说|瞎说|瞎编|乱说|乱讲|你编的|编的吧|你行不行|离谱", SURE, asks=True),
    _rule(r"(?:^|[，,])\W*(?:废话|没用|没有用|无聊|垃圾|真差|太差了?|不好|差评)\W*$", SURE),
    _rule(r"(?:听|看|读)不(?:太)?懂|没(?:听|看|读)懂|说人话|没(?:有)?回答(?:我的)?问题", SURE),
    _rule(rf"{_ZH}太(?:长|短|正式|复杂|啰嗦|罗嗦|笼统|敷衍|抽象|难|简单|多|官方|生硬|死板)(?:了|啦)", LIKELY),
    _rule(r"(?:简短|简洁|简单|详细|具体|口语|通俗|精简|短|清楚)(?:一点|一些|点|些)(?:儿)?(?!的)", LIKELY, asks=True),
    _rule(
        r"^\W*(?:请|麻烦你?|不要.{1,6})?(?:用|说|讲)(?:中文|英文|英语|汉语|普通话|德语|法语|日语)(?:回答|说|写"
        r"|讲|回复)?(?:一下)?\W*$",
        LIKELY,
    ),
    _rule(r"我(?:要|说|问|想要|想问|指)的(?:明明)?(?:是|不是)|我没(?:有)?(?:问|说|让你)|我不是(?:问|说|要)", LIKELY),
    _rule(
        r"(?:^|[，,])\W*(?:请)?(?:重写|重新(?:来|写|做|回答|翻译)|再(?:算|写|试|来|说|答|查)(?:一)?(?:遍|次)|再试)",
        LIKELY,
    ),
    _rule(r"还是(?:报错|不行|不对|错|失败)|(?:运行|用|打|编译|通)不(?:了|通|过)|报错了|跑不(?:了|通|起来)", LIKELY),
    _rule(r"一点(?:都|也)不|根本(?:没|不)|并(?:没有|不是)", LIKELY),
    _rule(r"^\W*不是[^，,。]{1,12}[，,]\s*(?:而)?是", LIKELY),
    _rule(r"^\W*(?:我)?只要(?:一|两|三|\d)?个?(?:字|词|句|行)", UNSURE),
    # -- German, French, Spanish
    _rule(r"\bauf (?:deutsch|englisch)\b" + _PLEASE + _END, LIKELY),
    _rule(
        r"^\W*(?:(?:nein|bitte|viel|etwas|noch)\W+)*(?:kürzer|einfacher|länger|genauer|ausführlicher)"
        + _PLEASE
        + _END,
        LIKELY,
    ),
    _rule(
        r"\b(?:das|es) (?:stimmt (?:so )?nicht|ist (?:falsch|nicht richtig|quatsch|zu lang)"
        r"|funktioniert nicht)",
        SURE,
    ),
    _rule(r"^\W*(?:falsch|quatsch|unsinn)\W*$|\bzu lang\b\W*$|\bich verstehe (?:das |es )?nicht\b", SURE),
    _rule(r"\bc'est (?:faux|pas (?:ça|vrai)|trop long)|\ben français\W*(?:s'il)|^\W*plus court\b", LIKELY),
    _rule(
        r"\b(?:eso )?(?:no es (?:correcto|verdad)|está mal|es incorrecto)\b|\ben español\W*(?:por favor)?\W*$"
        r"|^\W*más corto\b",
        LIKELY,
    ),
)

# What only looks like a complaint.
NO_COMPLAINT = _any(
    r"\bno (?:problem|worries|doubt|rush|thanks|thank you|more questions)|\bno need\b(?! to repeat)",
    r"\bnot (?:bad|wrong)\b|\bi was wrong\b|\bif (?:it|that|this) (?:doesn'?t|does not)",
    r"没错|不错|没问题|没有问题|是我错|我错了|我搞错|走错",
)

# A message that asks where a part of the answer is, and how a question asks for that part: as what is to be written,
# or beside something else.
MISSING = _any(
    r"\W*(?:(?:so|and|but|ok(?:ay)?|well|hm+)\W+)*"
    r"(?:(?:where(?:'?s| is| are)|(?:what|how) about|can i (?:have|get|see))\s+)?"
    r"(?:the|my)\s+(?P<part>\w{3,})(?: (?:then|now|please))?\W*"
)
MISSING_ZH = _any(r"\W*(?:那|那么|所以|我的|还有)*(?P<part>[\u4e00-\u9fff]{2,4}?)(?:呢|在哪(?:里|儿)?|去哪了)\W*")
ASKED_FOR = (
    r"\b(?:write|give|show|send|make|list|draw|create|add|provide|need|want)\b(?:\W+\w+){{0,4}}?\W+{part}"
    r"|\band (?:\w+ ){{0,3}}?{part}"
)
ASKED_FOR_ZH = r"^\W*(?:请|帮我|麻烦)*(?:写|给|列|做|发|画|生成|提供|来|起).*{part}\W*$|[和、及]{part}"

_FIRST = "ah|oh|ok(?:ay)?|great|cool|nice|well|wow|yes|yep|yeah|haha|perfect|good|that worked|awesome|many"
_LEAD = (
    r"(?:^|[,;]\s*)\W*(?:(?:ah|oh|ok(?:ay)?|great|cool|nice|well|wow|omg|yes|yep|yeah|haha|lol|right|good|perfect|ha|hey"
    r"|so|no)\b[,!.\s]*)*"
)
_PRAISE = (
    r"(?:great|perfect|good|helpful|useful|awesome|beautiful|amazing|excellent|brilliant|clear(?:er)?|wonderful"
    r"|fantastic|lovely|nice|cool|hilarious|funny|exactly (?:what|right)|spot on)"
)
_PRAISED = "summary|answer|job|work|idea|points?|one|explanation|very"
_WORKED = "worked|works|helped|helps|fixed it|solved it|did it|makes (?:perfect |more |total )?sense"
THANKS_WORDS = _any(
    rf"(?:^|[,;]\s*)\W*(?:(?:{_FIRST})\b[,!.\s]*)*(?:thanks|thank\s?(?:you+|u+)|thx|ty|tysm|cheers"
    r"|much appreciated)\b(?!-)",
    r"\bi (?:really )?appreciate (?:it|that|this|your|the)\b|\bi want to thank you\b|\bthank you so much\b",
    rf"{_LEAD}{_PRAISE}\b(?:[\s.!,)]*$|[,!]| (?:{_PRAISED})\b)",
    rf"{_LEAD}(?:i (?:think|guess) )?(?:that|this|it)(?:'s|s| is| was| are| looks)?{_VERY} (?:pretty |quite )?"
    rf"(?:an? )?{_PRAISE}\b",
    rf"{_LEAD}(?:that|this|it|yep that|which) ?(?:totally |really |finally )?(?:{_WORKED})\b",
    rf"{_LEAD}i (?:really )?(?:love|like) (?:it|this|that)\b|{_LEAD}you(?:'re| were| are) (?:totally |so )?right\b",
    r"\bgood to know\b|\bnot bad(?: at all)?\b|\bexactly what i (?:needed|wanted|was looking for)\b",
    r"^\W*(?:much|way) clearer",
    r"谢谢|多谢|感谢|谢了|谢啦|3q|辛苦了",
    r"(?<!不)太(?:好|棒|强)了|完美|厉害|不错|好用|很有(?:用|帮助)|很(?:清楚|好|棒)",
    r"(?:写|讲|说|解释)得(?:真|很|太|非常)?(?:好|棒|清楚|对|明白)",
    r"(?:问题)?解决了|(?:^|[，,])可以了|搞定|学到了|(?<![不没])(?:明白|懂)了(?!吗)|没有?问题了",
    r"\b(?:danke(?:schön)?|vielen dank|merci|gracias|obrigad[oa]|grazie)\b",
)
# Thanks that are none.
NO_THANKS = _any(
    r"\bfor nothing\b|\bno thank(?:s| you)\b|\bthanks in advance\b|\bsay(?:s|ing)? (?:thanks|thank you)",
    r"(?:not|n't) (?:very |really |that )?(?:helpful|useful|good|great|funny|clear)\b",
    r"提前谢|先谢|不谢|感谢信|不(?:太|是很)?(?:好用|清楚|明白)",
)
BUT = _any(r"\b(?:but|however|aber|mais|pero)\b|但是|不过|可是|然而|但")

# The whole message, from its beginning to its end.
STOPS = _any(
    r"(?:(?:ok(?:ay)?|please|pls|no|just|alright|hey|omg)\W+)*"
    r"(?:(?:that'?s |that is )?enough|stop(?: it| that| now| here| please| talking| writing)*|shut up|be quiet"
    r"|cancel(?: that)?|halt|stopp?)(?:\W+(?:stop|now|please|already|thanks))*\W*",
    r"(?:好了|行了|请)?\W*(?:停|停下|停下来|停止|别说了|不要说了|别写了|不用了|够了|闭嘴|打住)"
    r"\W*(?:停下|停|吧|了|谢谢)*\W*",
)

# What opens a question that is put again; what says nothing in it.
OPENERS = _any(
    r"^(?:\W*(?:(?:again|so|but|and|ok|okay|no|please|hey|sorry|once more|i asked|i said|my question was|i repeat)\b"
    r"[:,\s]*|我问的是|我问的|我的问题是|再问一次|再问一遍|请问|请|所以|但是|那么|那))+"
)
_NOTHING = """
a an the is are was were be do does did s t d ll re ve m to of in on at for please pls plz me my it so but and again
ok okay just really actually
"""
SAYING_NOTHING = frozenset(_NOTHING.split())
PARTICLES = _any(r"到底|究竟|请问|请|的|了|呢|吗|啊|吧|呀|嘛|就")
