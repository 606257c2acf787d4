"""The texts on which tokenizers are compared."""

import unicodedata

from alignment.conversion.texts import COUNT, shown, texts

CONTROL = ("<|im_start|>", "</s>")


def test_they_are_the_same_at_every_call_and_hold_what_tokenizers_disagree_about() -> None:
    found = texts(CONTROL)
    assert found == texts(CONTROL)
    assert len(found) == COUNT == 2000
    assert all(text == unicodedata.normalize("NFC", text) for text in found)
    drawn = found[::2]
    for piece in (*CONTROL, "你好", "👩‍👩‍👧‍👦", "\r\n", "\t", "   ", "def f(x)", "I'LL", "1", "नमस्ते"):
        assert sum(piece in text for text in drawn) > 10, piece
    assert not any(control in text for text in found[1::2] for control in CONTROL)


def test_a_text_is_shown_on_one_line_and_cut() -> None:
    assert shown("a\nb") == r"'a\nb'"
    assert len(shown("\u0300" * 500)) < 130
    assert "…" in shown("word " * 100)
