"""What the card of a model says of it."""

import pytest

from alignment.shelf.card import languages_of, licence_of


@pytest.mark.parametrize(
    ("card", "licence", "languages"),
    [
        ("---\nlicense: apache-2.0\nlanguage:\n- en\n- zh\n---\n# Fern\n", "apache-2.0", ("en", "zh")),
        ("---\nlicense: other\nlicense_name: qwen-research\nlanguage: en\n---\n", "qwen-research", ("en",)),
        ("---\nlicense:\n- mit\n- apache-2.0\n---\n", "mit, apache-2.0", ()),
        ("---\nlicense: other\n---\n", "other", ()),
        ("# No front matter\n\n---\nlicense: mit\n---\n", "unknown", ()),
        ("---\nlicense: [broken\n---\n", "unknown", ()),
        ("---\n- a list\n---\n", "unknown", ()),
        (None, "unknown", ()),
    ],
)
def test_licence_and_languages_are_those_of_the_card(tmp_path, card, licence, languages):
    if card is not None:
        (tmp_path / "README.md").write_text(card)
    assert (licence_of(tmp_path), languages_of(tmp_path)) == (licence, languages)


@pytest.mark.parametrize(
    ("text", "licence"),
    [
        ("\n   Apache License\n   Version 2.0, January 2004\n", "apache-2.0"),
        ("MIT License\n\nCopyright", "mit"),
        ("LLAMA 3.2 COMMUNITY LICENSE AGREEMENT", "see LICENSE.txt"),
    ],
)
def test_without_a_card_the_licences_own_file_counts(tmp_path, text, licence):
    (tmp_path / "LICENSE.txt").write_text(text)
    assert licence_of(tmp_path) == licence
