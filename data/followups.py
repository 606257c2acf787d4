"""What the next message of the same person says about the answer before it: rules, no model.

| kind      | what the person does                                            | it says that the answer was |
|-----------|-----------------------------------------------------------------|-----------------------------|
| thanks    | thanks, praises, says that it worked                            | good                        |
| complaint | says that it is wrong, or wants it shorter, simpler, in another | bad                         |
|           | language, or asks where a part of it is                         |                             |
| again     | puts the same question again                                    | bad                         |
| stop      | tells the bot to stop                                           | bad                         |
| continued | talks on                                                        | good, barely                |

Rules are for English and Chinese, with a few for German, French and Spanish (`data.followup_words`). What is quoted
or in code is not said by the person, and whoever answers a question of the bot ("no", "shorter please") says nothing
about it. Nothing here reads or writes a store; `tests.bench.followups` measures how often the rules are right.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from data.followup_words import (
    ASKED_FOR,
    ASKED_FOR_ZH,
    BUT,
    COMPLAINTS,
    MISSING,
    MISSING_ZH,
    NO_COMPLAINT,
    NO_THANKS,
    OPENERS,
    PARTICLES,
    SAYING_NOTHING,
    STOPS,
    SURE,
    THANKS_WORDS,
    UNSURE,
)

THANKS, COMPLAINT, AGAIN, STOP, CONTINUED = "thanks", "complaint", "again", "stop", "continued"
KINDS = (THANKS, COMPLAINT, AGAIN, STOP, CONTINUED)
GOOD = {THANKS: True, COMPLAINT: False, AGAIN: False, STOP: False, CONTINUED: True}

# How often a kind is right, roughly; docs/followups.md has what was measured.
_THANKS, _AGAIN, _STOP, _CONTINUED = 0.9, 0.9, 0.7, 0.2
_LOOKED_AT = 200  # characters: what a person thinks of an answer comes first
_SHORT, _LONGEST = 60, 2000  # characters of a stop at most; of a text that is looked at beyond that
_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)
_QUOTED = re.compile(
    r"^[ \t]*>.*$|\"[^\"\n]*\"|“[^”\n]*”|„[^“”\n]*[“”]|«[^»\n]*»|「[^」\n]*」|『[^』\n]*』", re.MULTILINE
)
_SENTENCE = re.compile(r"[^.!?。！？…\n]+[.!?。！？…]*")
_ENDS = " \t\r\n.,;:!?…。，；：！？"
_ASKS = re.compile(r"[?？]['\")\]*_\s]*$")
_POLITE = re.compile(r"\W*(?:thank|谢|多谢|感谢)", re.IGNORECASE)
_WORD = re.compile(r"\w+")
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]")


class Signal(NamedTuple):
    """What a message says about the answer before it: how certain that is (0 to 1), and which characters say so."""

    kind: str
    certainty: float
    start: int
    end: int


def signals(question: str, answer: str, said: str) -> list[Signal]:
    """What a message says about an answer to a question; what decides comes first, and there is always something.

    All three are texts as they were written. Complaints come before thanks: "thanks, but shorter" is a complaint.
    """
    heard = _heard(said[:_LONGEST])
    whole = _trimmed(said, 0, len(said))
    if _repeats(question, heard if len(said) <= _LONGEST else said):
        return [Signal(AGAIN, _AGAIN, *whole)]
    if len(heard.strip()) <= _SHORT and STOPS.fullmatch(heard.strip()):
        return [Signal(STOP, _STOP, *whole)]
    asked = _ASKS.search(answer[-_LOOKED_AT:]) is not None
    complaints = list(_complaints(heard, asked=asked))
    thanks = [] if NO_THANKS.search(heard) else list(_thanks(heard))
    if thanks and not complaints and not asked:
        complaints = list(_reservations(heard, thanks[0]))
        if BUT.search(heard, thanks[0].end, thanks[0].end + 30):
            thanks = []  # "thanks, but what if" only goes on
    if complaints:  # thanks beside a complaint are a manner of speaking
        thanks = [each._replace(certainty=UNSURE / 2) for each in thanks]
    elif not thanks and not asked and _misses(question, answer, heard.strip()):
        complaints = [Signal(COMPLAINT, UNSURE, *whole)]
    complaints.sort(key=lambda each: -each.certainty)
    return [*complaints, *thanks] or [Signal(CONTINUED, _CONTINUED, *whole)]


def _heard(said: str) -> str:
    """The message with blanks in the place of code and of what is quoted, so that places in it stay the same."""
    for pattern in (_CODE, _QUOTED):
        said = pattern.sub(lambda found: " " * len(found[0]), said)
    return said.replace("’", "'").replace("‘", "'")


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """The same place without blanks and punctuation at its ends."""
    found = text[start:end]
    begin = start + len(found) - len(found.lstrip(_ENDS))
    return begin, max(begin, start + len(found.rstrip(_ENDS)))


def _asks(sentence: str) -> bool:
    return sentence.rstrip()[-1:] in ("?", "？")


def _complaints(heard: str, *, asked: bool) -> Iterator[Signal]:
    """The complaints in a message. After a question of the bot only what cannot be an answer to it counts."""
    for sentence in _SENTENCE.finditer(heard[:_LOOKED_AT]):
        text = sentence[0]
        for rule in COMPLAINTS:
            if (_asks(text) and not rule.asks) or (asked and rule.certainty < SURE):
                continue
            found = rule.pattern.search(text)
            if found and not NO_COMPLAINT.search(text):
                start = sentence.start()
                yield Signal(COMPLAINT, rule.certainty, *_trimmed(heard, start + found.start(), start + found.end()))
                break


def _thanks(heard: str) -> Iterator[Signal]:
    for sentence in _SENTENCE.finditer(heard[:_LOOKED_AT]):
        if _asks(sentence[0]) and not _POLITE.match(sentence[0]):
            continue
        if found := THANKS_WORDS.search(sentence[0]):
            start = sentence.start()
            yield Signal(THANKS, _THANKS, *_trimmed(heard, start + found.start(), start + found.end()))


def _reservations(heard: str, thanks: Signal) -> Iterator[Signal]:
    """The "but" after thanks, unless it begins a question."""
    for sentence in _SENTENCE.finditer(heard[:_LOOKED_AT], thanks.start):
        found = BUT.search(sentence[0])
        if found and not _asks(sentence[0]):
            start, end = sentence.start() + found.start(), sentence.end()
            yield Signal(COMPLAINT, UNSURE, *_trimmed(heard, start, end))
        return


def _misses(question: str, answer: str, heard: str) -> bool:
    """Whether a short message asks for a part that the question asked for and the answer does not name."""
    if len(heard) > _SHORT:
        return False
    for wants, asked_for in ((MISSING, ASKED_FOR), (MISSING_ZH, ASKED_FOR_ZH)):
        if found := wants.fullmatch(heard):
            part = found["part"].casefold().removesuffix("s")
            asked = re.search(asked_for.format(part=re.escape(part)), question, re.IGNORECASE)
            return asked is not None and part not in answer.casefold()
    return False


def _repeats(question: str, said: str) -> bool:
    """Whether a message puts the same question again, up to the words and characters that say nothing."""
    if max(len(question), len(said)) > _LONGEST:
        return question.split() == said.split()
    first, second = _content(question), _content(said)
    if first != second or not first:
        return False
    return len(first) > 1 or _plain(question) == _plain(said)


def _content(text: str) -> frozenset[str]:
    """The words of a text that say something; where there are no spaces, all of it without particles is one word."""
    found = []
    for word in _WORD.findall(_plain(text)):
        if _UNSPACED.search(word):
            found += [PARTICLES.sub("", word)]
        elif word not in SAYING_NOTHING:
            found.append(word)
    joined = "".join(word for word in found if _UNSPACED.search(word))
    words = {word for word in found if word and not _UNSPACED.search(word)}
    return frozenset({*words, joined} - {""}) if len(joined) < 4 else frozenset({*words, joined[:2], joined})


def _plain(text: str) -> str:
    """A text in small letters, without what opens a question that is put again."""
    return OPENERS.sub("", " ".join(text.lower().replace("'s ", " ").split())).strip(" ?!.,？！。，")
