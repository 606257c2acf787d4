"""How answers are cut into messages: nothing lost, nothing too long, no code block broken."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.discord.render import LIMIT, GrowingText, MessagePart, next_change, parts, readable, split

pieces = st.sampled_from(
    [
        "word ",
        "Ein Satz. ",
        "句子。",
        "\n",
        "\n\n",
        "```",
        "```python\n",
        "x = 1\n",
        "`",
        "@everyone ",
        "🙂",
        "a" * 70,
    ]
)
texts = st.lists(pieces, max_size=120).map("".join)


def bare(text: str) -> str:
    return re.sub(r"\s", "", text)


@given(texts, st.integers(64, 300))
def test_no_part_is_too_long_or_empty_and_fences_are_even(text: str, limit: int):
    for part in split(text, limit):
        assert 0 < len(part) <= limit
        assert part.strip()
        assert part.count("```") % 2 == 0


@given(
    st.lists(st.sampled_from(["word ", "Ein Satz. ", "句子。", "\n", "\n\n", "🙂", "b" * 90]), max_size=150).map(
        "".join
    )
)
def test_nothing_is_lost_without_code(text: str):
    assert bare("".join(split(text, 64))) == bare(text)


@given(texts, texts, st.integers(64, 200))
def test_a_growing_answer_never_rewrites_a_finished_part(text: str, more: str, limit: int):
    before, after = split(text, limit), split(text + more, limit)
    finished = before[:-1]
    assert after[: len(finished)] == finished


def test_a_long_text_is_cut_at_sentence_ends():
    text = " ".join(f"This is sentence number {number}." for number in range(200))
    cut = split(text)
    assert len(cut) == 3
    assert all(part.endswith(".") for part in cut)
    assert " ".join(cut) == text


def test_a_chinese_text_is_cut_at_sentence_ends():
    text = "".join(f"这是第{number}句话。" for number in range(600))
    cut = split(text)
    assert all(part.endswith("。") for part in cut)
    assert "".join(cut) == text


def test_a_divided_code_block_is_closed_and_opened_again_with_its_language():
    code = "".join(f"print({number})\n" for number in range(400))
    cut = split(f"Look:\n```python\n{code}```\nDone.")
    assert len(cut) > 2
    assert all(part.startswith("```python\n") for part in cut[1:])
    assert all(part.endswith("\n```") for part in cut[:-1])
    assert cut[-1].endswith("```\nDone.")
    assert [line for part in cut for line in part.splitlines() if line.startswith("print")] == code.splitlines()


def test_a_code_block_left_open_is_closed():
    assert split("```py\nx = 1") == ["```py\nx = 1\n```"]


def test_buttons_and_note_stand_below_the_last_part():
    shown = parts("a. " * 1000, "rate", "(cut off)")
    assert [part.buttons for part in shown] == ["", "rate"]
    assert shown[-1].content.endswith("\n-# (cut off)")
    full = parts("a" * (LIMIT - 4), "rate", "(cut off)")
    assert full[-1] == MessagePart("-# (cut off)", "rate")
    assert parts("", "rate", "(nothing)") == [MessagePart("-# (nothing)", "rate")]


def test_the_next_change_is_the_first_difference():
    a, b, stop = MessagePart("a"), MessagePart("b"), MessagePart("b", "stop")
    assert next_change([], [a]) == 0
    assert next_change([a], [a, b]) == 1
    assert next_change([a, stop], [a, b]) == 1
    assert next_change([a, b], [a, b]) is None


def test_ids_become_names_and_the_bots_own_mention_goes():
    shown = readable(
        "<@1> ask <@!2>, <@3> and <@&4> in <#5> <a:wave:6>\n  <@1>",
        1,
        users={2: "Bea"},
        roles={4: "mods"},
        channels={5: "general"},
    )
    assert shown == "ask @Bea, @someone and @mods in #general :wave:"


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        ("<@1> what is 2 + 3?", "what is 2 + 3?"),
        ("<@!1>, what is 2 + 3?", "what is 2 + 3?"),
        ("  <@1>: <@&7> what is 2 + 3?", "what is 2 + 3?"),
        ("<@&7> what is 2 + 3?", "what is 2 + 3?"),
        ("<@1>what is 2 + 3?", "what is 2 + 3?"),
        ("<@1> -2 + 3", "-2 + 3"),
        ("<@1> :wave: hi", ":wave: hi"),
        ("<@1>:wave: hi", ":wave: hi"),
        ("<@1>，二加三是多少？", "二加三是多少？"),
        ("<@1>二加三是多少？", "二加三是多少？"),
        ("<@1>的主人是谁？", "@Parley 的主人是谁？"),
        ("<@1>'s answer was wrong", "@Parley's answer was wrong"),
        ("hey <@1> what is 2 + 3", "hey @Parley what is 2 + 3"),
        ("hey <@!1>, what is 2 + 3?", "hey @Parley, what is 2 + 3?"),
        ("What would <@1> say?", "What would @Parley say?"),
        ("What would <@&7> say?", "What would @Parley say?"),
        ("Who made <@1>?", "Who made @Parley?"),
        ("Is it true (ask <@1>)?", "Is it true (ask @Parley)?"),
        ("ask<@1>about it", "ask @Parley about it"),
        ("What is 2 + 3? <@1>", "What is 2 + 3?"),
        ("What is 2 + 3?\n<@1>", "What is 2 + 3?"),
        ("One line\n<@1>\nand another", "One line\nand another"),
        ("<@1> tell <@2> about <@1>", "tell @Bea about @Parley"),
        ("<@1>", ""),
        (" <@!1> <@&7>\n", ""),
    ],
)
def test_a_mention_of_the_bot_leaves_no_hole_in_a_sentence(content: str, shown: str):
    assert readable(content, 1, {2: "Bea"}, {}, {}, own_roles=[7], name="Parley") == shown


@given(st.integers(1, 10**19))
def test_no_id_survives(number: int):
    assert str(number) not in readable(f"<@{number}> <@&{number}> <#{number}>", 0, {}, {}, {})


def test_a_list_is_divided_between_its_items_and_not_within_one():
    items = [f"{number}. {'word ' * 6}\n   - inner {'word ' * 6}" for number in range(1, 60)]
    found = split("\n".join(items))
    assert len(found) > 1
    for number, part in enumerate(found):
        assert re.match(r"\d+\. ", part), (number, part[:40])
        assert part.splitlines()[-1].startswith("   - inner")


@given(st.lists(pieces, max_size=60), st.integers(64, 200))
def test_a_text_in_pieces_is_divided_like_the_whole_text(added: list[str], limit: int):
    growing = GrowingText(limit)
    for number, piece in enumerate(added, 1):
        growing.add(piece)
        assert growing.parts == split("".join(added[:number]), limit)
        assert bool(growing) == bool(growing.parts)


def test_a_divided_spoiler_is_closed_and_opened_again():
    cut = split("Who did it? ||" + "It was the gardener. " * 200 + "|| Sorry.")
    assert len(cut) > 2
    assert all(part.startswith("||It") for part in cut[1:])
    assert all(part.endswith(".||") for part in cut[:-1])
    assert cut[-1].endswith("|| Sorry.")


def test_a_code_block_in_a_spoiler_is_closed_inside_out():
    cut = split("||```py\n" + "x = 1 || y\n" * 400 + "```||")
    assert all(part.startswith("||```py\nx") and part.endswith("\n```||") for part in cut)


def test_a_divided_code_block_in_a_quote_stays_in_it():
    cut = split("> ```js\n" + "> let x = 1;\n" * 300 + "> ```")
    assert len(cut) > 1
    assert all(part.startswith("> ```js\n> let") for part in cut)
    assert all(part.endswith(";\n> ```") for part in cut)


def test_a_divided_line_of_a_quote_stays_a_quote_and_what_follows_does_not():
    cut = split("> " + "word " * 600 + "\nand then " + "more " * 500)
    assert [part.startswith("> word") for part in cut] == [True, True, False, False]
    whole = split(">>> " + "word " * 600 + "\n\nnext " * 100)
    assert all(part.startswith(">>> ") and not part.startswith(">>> >>>") for part in whole)


def test_a_code_block_in_a_list_is_closed_within_its_item():
    cut = split("1. Do this:\n   ```sh\n" + "   make it so\n" * 300 + "   ```\n2. Done.")
    assert len(cut) > 1
    assert cut[0].endswith("so\n   ```")
    assert all(part.startswith("```sh\n   make") for part in cut[1:])


def test_short_inline_code_is_not_divided_and_long_is_closed_and_opened():
    cut = split("a " * 985 + "`git commit --amend --no-edit --all` and so on " + "b " * 100)
    assert cut[1].startswith("`git commit --amend --no-edit --all` and")
    cut = split("`" + "x " * 1500 + "` done")
    assert (cut[0][-1], cut[1][0]) == ("`", "`")
    assert cut[1].endswith("x ` done")


@pytest.mark.parametrize(
    "text", ["a || b", "It`s fine", "x = `a || b`", "use \\|| here", "```c\na || b\n```", "`||`", "a " * 900 + "|| b"]
)
def test_what_only_looks_like_markup_stays_as_it_is(text: str):
    assert split(text) == [text]


markup = st.sampled_from(
    [
        "x " * 30,
        "word ",
        "Ein Satz. ",
        "\n",
        "\n\n",
        "```",
        "```python\n",
        "   ```sh\n",
        "`",
        "``",
        "||",
        "> ",
        ">>> ",
        "x " * 30,
    ]
)


@given(st.lists(markup, max_size=80).map("".join), st.lists(markup, max_size=40).map("".join), st.integers(64, 300))
def test_no_markup_makes_a_part_too_long_or_rewrites_a_finished_one(text: str, more: str, limit: int):
    before, after = split(text, limit), split(text + more, limit)
    assert all(0 < len(part) <= limit for part in after)
    assert all(part.count("```") % 2 == 0 for part in after)
    assert after[: len(before[:-1])] == before[:-1]
