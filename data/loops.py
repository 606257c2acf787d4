"""Whether a text goes round in circles."""

import re

# A loop: the same piece again and again without a break, at least this often and over this many characters.
_TIMES, _SPAN, _PERIOD = 4, 40, 120
# Rules, rows of dots and table edges are pieces without a letter or digit; they may be longer.
_SPAN_OF_SIGNS = 160
# Repetition with small changes: at most this share of the runs of four words is new.
_RUN, _WORDS, _NEW = 4, 40, 0.5
_WORD = re.compile(r"[\u3400-\u9fff]|[^\W_\u3400-\u9fff]+")
# Item numbers are ignored: they differ even in a list that repeats itself.
_NUMBER = re.compile(r"^\s*\d+\s*[.):、]", re.MULTILINE)


def loops(text: str) -> bool:
    """Whether a text repeats a piece of up to 120 characters without a break, or mostly says what it said before."""
    return _repeats_a_piece(text) or _says_it_again(text)


def _repeats_a_piece(text: str) -> bool:
    text = re.sub(r"\s+", " ", text).strip() + " "  # what separates the pieces belongs to the last one too
    for period in range(1, min(_PERIOD, len(text) // _TIMES) + 1):
        run = 0  # how many characters in a row equal the one a period before
        for index in range(period, len(text)):
            run = run + 1 if text[index] == text[index - period] else 0
            if run + period >= max(_SPAN, _TIMES * period):
                piece = text[index - period + 1 : index + 1]
                if any(sign.isalnum() for sign in piece) or run + period >= _SPAN_OF_SIGNS:
                    return True
    return False


def _says_it_again(text: str) -> bool:
    words = [word.casefold() for word in _WORD.findall(_NUMBER.sub("", text))]
    if len(words) < _WORDS:
        return False
    runs = [tuple(words[start : start + _RUN]) for start in range(len(words) - _RUN + 1)]
    return len(set(runs)) < _NEW * len(runs)
