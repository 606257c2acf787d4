"""A FAQ is read from CSV, JSON lines and Markdown, and becomes lessons that the operator lists and removes."""

import json
from argparse import Namespace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from data import schema
from data.errors import BadInput
from data.faq import file_of, named
from data.lesson_files import LONGEST, read_faq
from data.lessons import REMOVED
from data.lessons_command import import_faq, lessons
from data.store import Store
from tests.data.talk import Talk

MARKDOWN = """# Shop

## How long does shipping take?

Four days.
Nine to islands.

## Code ##

```
# no heading
```

## Empty chapter
"""


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_csv_json_lines_and_markdown_are_read(tmp_path: Path) -> None:
    csv = written(tmp_path, "a.csv", '\ufeffquestion,x,Answer\nWhen?,1,"At 8,\nor later"\n')
    assert read_faq(csv) == [("When?", "At 8,\nor later", "a.csv, line 3")]
    lines = written(tmp_path, "b.jsonl", '{"question": "When?", "answer": "At 8."}\n\n')
    assert read_faq(lines) == [("When?", "At 8.", "b.jsonl, line 1")]
    found = read_faq(written(tmp_path, "c.md", MARKDOWN))
    assert [entry.question for entry in found] == ["How long does shipping take?", "Code"]
    assert found[0].answer == "Four days.\nNine to islands."
    assert found[0].place == "c.md, How long does shipping take?"
    assert "# no heading" in found[1].answer


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", "question,anser\nWhen?,Now\n", "line 1: a column 'answer' is missing. Did you mean 'anser'?"),
        ("a.csv", "question,answer\nWhen?,\n", "line 2: the answer is missing, empty or not a text"),
        ("a.csv", 'question,answer\nWhen?,"open\n', ": unexpected end of data"),
        ("a.jsonl", "{", "line 1: this is not JSON"),
        ("a.jsonl", "[1]", "line 1: expected an object"),
        ("a.jsonl", '{"question": 1, "answer": "x"}', "line 1: the question is missing, empty or not a text"),
        ("a.jsonl", '{"question": "\\ud800?", "answer": "x"}', "line 1: the question holds half of a surrogate pair"),
        ("a.jsonl", "[" * 100_000, "line 1: this is not JSON"),
        ("a.csv", '"question"x,answer\nWhen?,Now\n', "line 1: ',' expected after '\"'"),
        ("a.csv", "question,answer\nWhere?,In Paris, France\n", "line 2: there are more columns than line 1 names"),
        ("a.csv", "question;answer\nWhere?;Here\n", "with commas between them"),
        ("a.jsonl", '{"question": "Q?", "answer": "' + "x" * (LONGEST + 1) + '"}', "divide the entry"),
        ("a.md", "# Only chapters\n", "holds no questions"),
        ("a.md", "Question?\n=====\nAnswer.\n", "A question is a heading with #"),
        ("a.txt", "Q? A.", "its name must end in one of .csv, .jsonl, .md"),
    ],
)
def test_a_file_that_is_no_faq_is_a_sentence(tmp_path: Path, name: str, text: str, said: str) -> None:
    with pytest.raises(BadInput) as refused:
        read_faq(written(tmp_path, name, text))
    assert said in str(refused.value)


@pytest.mark.parametrize("separator", ["\u2028", "\x85", "\x0b"])
def test_only_line_feeds_end_a_line(tmp_path: Path, separator: str) -> None:
    question = f"When{separator}is it?"
    for name, text in (
        ("a.csv", f"question,answer\n{question},Now.\n"),
        ("a.jsonl", json.dumps({"question": question, "answer": "Now."}, ensure_ascii=False)),
        ("a.md", f"# {question}\nNow.\n"),
    ):
        assert [(entry.question, entry.answer) for entry in read_faq(written(tmp_path, name, text))] == [
            (question, "Now.")
        ]


async def test_a_repeated_question_is_told_and_a_file_with_a_comma_in_its_name_goes(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    faq = written(tmp_path, "shop, new.csv", "question,answer\nWho?,Mira.\nWho?,Ada.\n")
    assert await import_faq(store, str(faq)) == (
        "1 new lessons, 0 changed, 0 were there already. "
        "Entries that repeat a question of the file: 1; the last answer holds."
    )
    assert [lesson.answer for lesson in await store.lessons.every()] == ["Ada."]
    monkeypatch.setenv("PARLEY_HOME", str(store.database.path.parent))
    await lessons(Namespace(deed="remove", what="shop, new.csv"))
    assert "Lessons taken out of the prompts: 1." in capsys.readouterr().out
    assert not await store.lessons.every()


async def test_entries_hold_for_everybody_and_another_import_changes_them(store: Store, tmp_path: Path) -> None:
    talk = await Talk.begin(store)
    faq = written(tmp_path, "faq.csv", "question,answer\nHow long does shipping take?,Four days.\nWho?,Mira.\n")
    assert await import_faq(store, str(faq)) == "2 new lessons, 0 changed, 0 were there already."
    written(tmp_path, "faq.csv", "question,answer\nHow long does shipping take?,Five days.\nWho?,Mira.\n")
    assert await import_faq(store, str(faq)) == "0 new lessons, 1 changed, 1 were there already."
    ada = await talk.person(agrees=None)
    (found,) = await store.lessons.like("How long will the shipping take?", talk.conversation, ada)
    assert (found.answer, found.entry) == ("Five days.", "faq.csv, line 2")


async def test_an_entry_does_not_expire_and_goes_with_its_server(store: Store, tmp_path: Path) -> None:
    faq = written(tmp_path, "faq.csv", "question,answer\nHow long does shipping take?,Four days.\n")
    await import_faq(store, str(faq), server="7")
    later = datetime.now(UTC) + timedelta(days=90)
    await store.eraser.purge(later)
    assert len(await store.lessons.every()) == 1
    await store.servers_now("discord", [])
    await store.eraser.purge(later)
    assert await store.lessons.every() == []


async def test_an_import_leaves_the_same_question_of_other_servers_and_personas_alone(
    store: Store, tmp_path: Path
) -> None:
    places: list[dict[str, str]] = [{}, {"server": "7"}, {"server": "8"}, {"server": "8", "persona": "tutor"}]
    for number, place in enumerate(places):
        faq = written(tmp_path, "faq.csv", f"question,answer\nWho has the key?,Number {number}.\n")
        assert (await import_faq(store, str(faq), **place)).startswith("1 new lessons, 0 changed")
    assert [entry.answer for entry in await store.lessons.every()] == [f"Number {n}." for n in range(len(places))]


async def texts(store: Store) -> set[str]:
    """All texts that are not erased."""
    query = select(schema.MessageVersion.text).where(schema.MessageVersion.text.is_not(None))
    async with store.database.read() as session:
        return {said or "" for said in await session.scalars(query)}


@pytest.mark.parametrize("how", ["replaced", "removed"])
async def test_a_removed_or_replaced_entry_is_erased_with_the_answers_given_with_it(
    store: Store, tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk = await Talk.begin(store)
    faq = written(tmp_path, "faq.csv", "question,answer\nHow long does shipping take?,Four days.\nWho?,Mira.\n")
    await import_faq(store, str(faq))
    ada = await talk.person()
    said = await talk.say(ada, "How long will the shipping take?")
    (entry,) = await store.lessons.like("How long will the shipping take?", talk.conversation, ada)
    await talk.answer(said, "Four days, they say.", lessons=(entry.lesson,))
    if how == "replaced":
        written(tmp_path, "faq.csv", "question,answer\nHow long does shipping take?,Five days.\nWho?,Mira.\n")
        await import_faq(store, str(faq))
    else:
        monkeypatch.setenv("PARLEY_HOME", str(store.database.path.parent))
        await lessons(Namespace(deed="remove", what=str(entry.lesson)))
    left = {"How long will the shipping take?", "Who?", "Mira."}
    assert await texts(store) == left | (
        {"How long does shipping take?", "Five days."} if how == "replaced" else set()
    )


@pytest.mark.parametrize("name", ["faq.md", "a" * 200 + ".md"])
async def test_an_erased_heading_stays_nowhere_and_a_long_name_still_names_its_entries(
    store: Store, tmp_path: Path, name: str
) -> None:
    await import_faq(store, str(written(tmp_path, name, "# Who has the key?\nMira.\n")))
    (entry,) = await store.lessons.every()
    assert "Who has the key?" in (entry.entry or "")
    assert named([entry], file_of(entry.entry or "")) == [entry]
    await store.eraser.erase_lessons([entry.lesson])
    async with store.database.read() as session:
        assert list(await session.scalars(select(schema.Lesson.entry))) == [""]


async def test_a_removed_entry_that_a_kill_left_expires(store: Store, tmp_path: Path) -> None:
    await import_faq(store, str(written(tmp_path, "faq.csv", "question,answer\nWho?,Mira.\n")))
    (entry,) = await store.lessons.every()
    await store.lessons.set_scope(entry.lesson, REMOVED)
    await store.eraser.purge(datetime.now(UTC) + timedelta(days=1))
    assert await texts(store) == set()


async def test_a_removed_correction_stays_among_its_authors_texts(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await talk.person()
    (answer,) = await talk.ask(ada, "When is game night?", "On Monday.")
    await talk.rate(ada, "correction", answer, text="On Friday.")
    (lesson,) = await talk.store.lessons.of(ada)
    monkeypatch.setenv("PARLEY_HOME", str(talk.store.database.path.parent))
    await lessons(Namespace(deed="remove", what=str(lesson.lesson)))
    assert await talk.store.lessons.of(ada) == []
    assert await texts(talk.store) == {"When is game night?", "On Monday.", "On Friday."}


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ({"persona": "suport"}, "no persona named 'suport'.*Did you mean 'support'"),
        ({"server": "my server"}, "--server my server: a server's id on Discord has digits only"),
    ],
)
async def test_an_import_for_nobody_is_refused(
    store: Store, tmp_path: Path, where: dict[str, str], told: str
) -> None:
    faq = written(tmp_path, "faq.csv", "question,answer\nWho?,Mira.\n")
    with pytest.raises(BadInput, match=told):
        await import_faq(store, str(faq), **where)
    assert await store.lessons.every() == []
    await import_faq(store, str(faq), server="7", persona="of-that-server")
