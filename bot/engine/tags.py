"""The tags and words by which models set their thoughts apart from the answer, and how each is recognised. Pure."""

from __future__ import annotations

import re

# The beginning of a turn, which some servers leave before the thought.
_TURN = r"<\|begin\|>\s?assistant\s?|<\|assistant\|>\s?|<\|im_start\|>\s?assistant\s?"
# What opens a thought, and what closes it again.
PAIRS: tuple[tuple[str, str], ...] = (
    *(
        (rf"(?:{_TURN})?<\s?{name}\s?>", rf"<\s?/\s?{name}\s?>")
        for name in (
            r"(?:\w+[:_])?think(?:ing)?(?:_mode)?",
            r"thoughts?",
            r"thought_process",
            r"thinking_process",
            r"ant_?thinking",
            r"analysis",
            r"reason(?:ing)?",
            r"cot",
            r"reflect(?:ion)?",
            r"scratchpad",
            r"inner_(?:monologue|thoughts?)",
        )
    ),
    (r"\[THINK\]", r"\[/THINK\]"),
    (r"◁think▷", r"◁/think▷"),
    (r"<\|START_THINKING\|>", r"<\|END_THINKING\|>"),
    (r"<\|begin_of_thought\|>", r"<\|end_of_thought\|>"),
    # The second closing form is Solar's, which begins a turn for the thought and one for the answer.
    (
        rf"(?:{_TURN})?<\|(?:begin_of_|start_?of_?)?think(?:ing)?\|>",
        r"<\|(?:/|end_?of_?)think(?:ing)?\|>|<\|end\|>\s?<\|begin\|>\s?assistant\s?<\|content\|>",
    ),
    (r"<\|thought\|>", r"<\|/thought\|>|<\|answer\|>"),
    (r"<\|reasoning_start\|>", r"<\|reasoning_end\|>"),
    # The thought as a turn of its own: `<|im_start|>think ... <|im_start|>answer`.
    (r"<\|im_start\|>\s?(?:assistant/)?think(?:ing)?\b", r"<\|im_start\|>\s?(?:answer|assistant)\b(?!/)"),
    (r"<\|inner_prefix\|>", r"<\|inner_suffix\|>"),
    (r"<unused94>(?:thought)?", r"<unused95>"),
    (r"<\|channel>\s?(?:thought|analysis)?", r"<channel\|>"),
)
OPENS = re.compile("|".join(f"({opens})" for opens, _ in PAIRS), re.IGNORECASE)
# Where one of these stands alone, a thought may have come before it; the beginning of a turn says nothing of that.
CLOSES = re.compile("|".join(closes for _, closes in PAIRS if "im_start" not in closes), re.IGNORECASE)
# gpt-oss: `<|start|>assistant<|channel|>analysis<|message|>...<|end|>`, and the answer in the channel `final`.
CHANNEL = re.compile(
    r"(?:<\|start\|>\s?[\w.]*)?<\|channel\|>\s?(\w*)[^<]{0,80}(?:<\|constrain\|>[^<]{0,40})?<\|message\|>"
)
_CHANNEL_BEGINS = re.compile(r"<\|(?:start|channel)\|>")
CHANNEL_ENDS = re.compile(r"<\|(?:end|return|call)\|>|(?=<\|(?:start|channel)\|>)")
HEADER = 220  # a channel's header is never longer
_BRACKETS = ("Thinking", "THINKING", "thinking", "Thought", "Thoughts", "REASONING", "Reasoning", "reasoning")
# Words that begin a thought if one of the others follows: gpt-oss's channels without control tokens, which some
# servers leave out (`analysisThe user ...assistantfinalIt is 5.`), Granite's, HyperCLOVA's and s1's turns without the
# token that begins them, and words in brackets, which may also be a role that is played.
BARE: dict[str, tuple[str, ...]] = {
    "analysis": ("assistantfinal",),
    "assistantanalysis": ("assistantfinal",),
    "Here is my thought process:": ("Here is my response:", "Here's my response:"),
    "Here's my thought process:": ("Here is my response:", "Here's my response:"),
    "/think\n": ("<|im_start|>assistant\n", "\nassistant\n"),
    "think\n": ("\nanswer\n",),
    **{f"[{word}]": (f"[/{word}]",) for word in _BRACKETS},
}
# What some models put around the answer that follows a thought.
WRAP = re.compile(
    r"<(?:answer|response|output|final_answer)>|<\|(?:START_RESPONSE|begin_of_solution)\|>", re.IGNORECASE
)
UNWRAP = re.compile(
    r"</(?:answer|response|output|final_answer)>|<\|(?:END_RESPONSE|end_of_solution)\|>", re.IGNORECASE
)
MARK = re.compile(
    f"{OPENS.pattern}|(?P<closes>{CLOSES.pattern})|(?P<channel>{_CHANNEL_BEGINS.pattern})", re.IGNORECASE
)
LONGEST = 40  # characters of the longest tag
_FIRST = "<[◁"
_ENDS_A_SENTENCE = ".!?:…。！？：\"'”’)]}*>"


def safe(text: str) -> int:
    """How many characters of a text cannot be a part of a tag that is not complete."""
    tail = max(0, len(text) - LONGEST)
    for at in range(tail, len(text)):
        if text[at] in _FIRST and may_begin_tag(text[at:]):
            return at
    return len(text)


_TAG_SO_FAR = re.compile(r"<[|/<>\s\w:]*|\[/?[A-Za-z]*|◁/?[a-z]*")


def may_begin_tag(text: str) -> bool:
    """Whether a text, which ends here for now, may become a tag."""
    if _CHANNEL_BEGINS.match(text) and len(text) < HEADER:
        return True
    return len(text) < LONGEST and _TAG_SO_FAR.fullmatch(text) is not None


def may_go_on(text: str, end: int) -> bool:
    """Whether an opening tag that is optional at its end may still grow (`<|channel>thou`)."""
    return text[:end].lower().startswith(("<|channel>", "<unused94>")) and "thought".startswith(text[end:].lower())


def confirms(before: str, after: str) -> bool:
    """Whether a closing tag alone ends a thought, and is not a word of a sentence."""
    return stands_alone(before, after) or (bool(before.strip()) and after[:1].isupper())


def stands_alone(before: str, after: str) -> bool:
    line = before.rpartition("\n")[2].rstrip(" \t")
    if not line:
        return True
    if line[-1] in "`'\"" and after[:1] == line[-1]:
        return False
    if after.startswith(("\n\n", "\r\n\r\n")):
        return True
    follows = after.lstrip(" \t")[:1]
    return line[-1] in _ENDS_A_SENTENCE and (
        follows in ("", "\n") or follows.isupper() or follows.isdigit() or not follows.isascii()
    )
