"""Whether the answer after a complaint is a better answer to the question before it: rules, no model.

Somebody complains ("no, shorter"), and the bot answers once more, now that it knows what is wrong. If that answer
does what was asked, and nobody complains again, it is what the bot should have said at first: hindsight, as in
Kleine Buening et al., "Aligning Language Models from User Interactions" (arXiv 2603.12273), which compares the two by
the model's likelihood of every token. Here the new answer is preferred as a whole, because it is one that the person
saw, and only if it stands by itself:

- The complaint is about the answer alone. If it tells something that the question does not ("I meant my brother",
  "it's Canberra"), the new answer knows more than the question says, or repeats what it was told.
- What rules can check is so: shorter is shorter, and the language is the one that was asked for, which must be the
  question's as well. Else an answer in German to an English question would be taught.
- It is another answer, not a refusal or a loop, asks nothing back, and says nothing about the complaint: no apology,
  no "here is a shorter version".

Nothing here reads or writes a store; `tests.bench.hindsight` measures how often the rules are right.
"""

import re

from data.followup_words import COMPLAINTS, LIKELY, PARTICLES, SAYING_NOTHING
from data.followups import COMPLAINT, Signal, signals
from data.hindsight_words import (
    LANGUAGES,
    LONGER,
    MANNER,
    MANNER_ZH,
    NAMES_ITS_LANGUAGE,
    OPENS,
    REFERS,
    SHORTER,
)
from data.language_of import language
from data.loops import loops
from data.refusing import is_refusal

CHECKED, UNCHECKED = 1.0, 0.5  # how much of a follow-up's weight a pair has
_SHORTER, _LONGER = 0.8, 1.25  # of the characters of the first answer
_OPENING = 120  # characters
_LONGEST = 20_000  # characters of an answer that is looked at
_WORD = re.compile(r"\w+")
_HAN = re.compile(r"[\u3400-\u9fff]+")
_COMPLAINING = (*(rule.pattern for rule in COMPLAINTS), SHORTER, LONGER, *LANGUAGES.values())
_CLAUSE = re.compile(r"[^,，;；.!?。！？…\n]+")
_MANNER_ZH = re.compile(f"(?:{MANNER_ZH.pattern}|{PARTICLES.pattern})+")
_LETTER = re.compile(r"\b[a-zà-ÿ]\b", re.IGNORECASE)
_ASKS = re.compile(r"[?？][\s\"')\]*_”』」]*$")


def mended(question: str, answer: str, said: str, newer: str) -> float:
    """How far an answer mends what was said about the one before it: 0, `UNCHECKED` or `CHECKED`.

    `said` is a message about `answer`, which answers `question`; `newer` answers `said`. All are texts as they were
    written. `CHECKED` means that rules found what was asked for, `UNCHECKED` that there was nothing to check.
    """
    found = signals(question, answer, said)
    if found[0].kind != COMPLAINT or found[0].certainty < LIKELY or _tells(question, answer, said, found):
        return 0.0
    if max(len(answer), len(newer)) > _LONGEST or not _stands_alone(answer, newer):
        return 0.0
    checks = [*_lengths(answer, said, newer), *_languages(question, answer, said, newer)]
    if not all(checks):
        return 0.0
    return CHECKED if checks else UNCHECKED


def _tells(question: str, answer: str, said: str, found: list[Signal]) -> bool:
    """Whether a complaint says something beside the complaint that is in neither the question nor the answer."""
    known, rest = _even(f"{question}\n{answer}"), _even(_without(said, found))
    words = {_stem(word) for word in _WORD.findall(known)}
    for word in _WORD.findall(rest):
        if _HAN.search(word):
            if any(part not in known for part in _MANNER_ZH.split(word) if part):
                return True
        elif word not in MANNER and word not in SAYING_NOTHING and _stem(word) not in words:
            return True
    return False


def _without(said: str, found: list[Signal]) -> str:
    """A message with blanks in the place of all that complains, thanks, or asks for another form or language."""
    places = [(each.start, each.end) for each in found]
    for clause in _CLAUSE.finditer(said):
        found_here = filter(None, (pattern.search(clause[0]) for pattern in _COMPLAINING))
        places += [(clause.start() + match.start(), clause.start() + match.end()) for match in found_here]
    for start, end in places:
        while 0 < end < len(said) and not _HAN.search(said[end - 1 : end + 1]) and said[end].isalnum():
            end += 1  # a rule may stop inside a word
        said = said[:start] + " " * (end - start) + said[end:]
    return said


def _even(text: str) -> str:
    """A text in small letters, without apostrophes."""
    return re.sub("['’‘]", "", text.casefold())


def _stem(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") else word


def _stands_alone(answer: str, newer: str) -> bool:
    """Whether an answer differs from the one before it, and could be the first answer to the question."""
    if not newer.strip() or _bare(newer) == _bare(answer):
        return False
    if is_refusal(newer) or loops(newer) or (_ASKS.search(newer) and not _ASKS.search(answer)):
        return False
    plain = newer.replace("’", "'").replace("‘", "'")
    return not OPENS.search(plain.strip()[:_OPENING]) and not REFERS.search(plain)


def _bare(text: str) -> str:
    """The words of a text, without case and signs."""
    return " ".join(_WORD.findall(text.casefold()))


def _lengths(answer: str, said: str, newer: str) -> list[bool]:
    """Whether the length is what was asked for, where a length was."""
    share = len("".join(newer.split())) / max(1, len("".join(answer.split())))
    found = [share <= _SHORTER] if SHORTER.search(said) else []
    return [*found, *([share >= _LONGER] if LONGER.search(said) else [])]


def _languages(question: str, answer: str, said: str, newer: str) -> list[bool]:
    """Whether the language is what was asked for, where one was.

    Where none was, it must be that of the first answer, as far as both are known; that checks nothing that was asked.
    """
    now, before = _language(newer), _language(answer)
    asked = [code for code, pattern in LANGUAGES.items() if pattern.search(said)]
    if not asked:
        return [] if now is None or before is None or now == before else [False]
    opening = newer.strip()[:_OPENING]
    fits = len(asked) == 1 and now == asked[0] != before and _language(question) == now
    return [fits and not NAMES_ITS_LANGUAGE.search(opening)]


def _language(text: str) -> str | None:
    """The language of a text that may be short. Words of one letter are left out: "a hole" is not Portuguese."""
    return language(_LETTER.sub("", text))
