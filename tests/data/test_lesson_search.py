"""Which lessons are found for a question: by stems, by pairs of Chinese characters, and not for another subject."""

import pytest

from data.lesson_search import LessonIndex, words

QUESTIONS = {
    1: "When is game night?",
    2: "How do I reset my password?",
    3: "What is the capital of Zorland?",
    4: "社区活动几点开始？",
    5: "Can I return an item?",
}


@pytest.fixture(scope="module")
def index() -> LessonIndex:
    made = LessonIndex()
    made.add(QUESTIONS)
    return made


def found(index: LessonIndex, question: str, among: tuple[int, ...] = tuple(QUESTIONS)) -> list[int]:
    return [number for number, _ in index.nearest(question, among)]


@pytest.mark.parametrize(
    ("question", "lesson"),
    [
        ("What day is the game night?", 1),
        ("Is game night on Monday?", 1),
        ("password reset how?", 2),
        ("Which city is the capital of Zorland?", 3),
        ("请问社区活动几点？", 4),
        ("Can items be returned?", 5),
        ('GAME "NIGHT*', 1),
    ],
)
def test_another_wording_is_found(index: LessonIndex, question: str, lesson: int) -> None:
    assert found(index, question) == [lesson]


@pytest.mark.parametrize(
    "question",
    [
        "What is the capital of France?",  # each names a place that the other does not
        "When is movie night?",
        "How do I reset my router?",
        "Who painted the Mona Lisa?",
        "图书馆几点开门？",
        "?!",
        "",
        "the of is a",
    ],
)
def test_another_subject_finds_nothing(index: LessonIndex, question: str) -> None:
    assert found(index, question) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Where could we store bicycles?", "In which of the rooms would one store bicycles?"),
        ("Which tickets did they refund?", "Whose tickets could they refund?"),
        ("Which trains are late?", "Where were the late trains?"),
    ],
)
def test_words_that_name_nothing_do_not_tell_two_questions_apart(one: str, other: str) -> None:
    made = LessonIndex()
    made.add({1: one})
    assert found(made, other, (1,)) == [1]


def test_only_lessons_within_reach_are_found(index: LessonIndex) -> None:
    assert found(index, "When is game night?", (2, 3)) == []
    assert found(index, "When is game night?", ()) == []


def test_the_same_question_is_entirely_like_itself_and_the_newest_comes_first() -> None:
    index = LessonIndex()
    index.add({7: QUESTIONS[1], 9: QUESTIONS[1]})
    assert index.nearest(QUESTIONS[1], (7, 9)) == [(9, pytest.approx(1)), (7, pytest.approx(1))]


def test_what_was_dropped_is_gone_from_the_index() -> None:
    index = LessonIndex()
    index.add(QUESTIONS)
    index.drop([1, 99])
    assert index.missing(QUESTIONS) == [1]
    assert found(index, "When is game night?") == []
    held = "".join(str(row) for row in index._rows.execute("SELECT * FROM said"))
    assert "night" not in held
    assert b"night" not in index._rows.serialize()  # nor in what SQLite keeps of a deleted row


def test_the_most_similar_comes_first_whatever_bm25_says_and_no_more_than_eight() -> None:
    index = LessonIndex()
    index.add({1: "When is game night?", 2: "Game night, game night, game night: when?"})
    assert found(index, "When is game night?", (1, 2)) == [1, 2]
    index.add(dict.fromkeys(range(10, 30), QUESTIONS[2]))
    assert found(index, QUESTIONS[2], tuple(range(10, 30))) == [29, 28, 27, 26, 25, 24, 23, 22]


def test_words_without_spaces_are_pairs_of_characters() -> None:
    assert words("社区活动 GPT4很好 a") == ["社区", "区活", "活动", "gpt4", "很好", "a"]
    assert words("好") == ["好"]


def test_of_a_very_long_question_the_beginning_counts() -> None:
    assert list(map(len, words("x" * 100_000))) == [2000]


def test_others_search_while_many_questions_are_added() -> None:
    index, turns = LessonIndex(), []

    class Lock:
        def __enter__(self) -> None:
            turns.append(len(index.held()))

        def __exit__(self, *_: object) -> None:
            pass

    index._lock = Lock()  # type: ignore[assignment]  # it counts who takes it
    index.add(dict.fromkeys(range(1001), "When?"))
    assert turns == [0, 500, 1000]
    assert len(index.held()) == 1001


def test_a_search_among_many_lessons_is_one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    index = LessonIndex()
    index.add({number: f"When is event {number}?" for number in range(400)})
    plan: list[tuple[int, int, int, str]] = []

    class Rows:
        def execute(self, query: str, values: tuple[object, ...]) -> object:
            plan.extend(rows.execute(f"EXPLAIN QUERY PLAN {query}", values).fetchall())
            return rows.execute(query, values)

    rows = index._rows
    monkeypatch.setattr(index, "_rows", Rows())
    assert found(index, "When is event 7?", tuple(range(400)))[0] == 7
    (search,) = [what for *_, what in plan if what.startswith("SCAN said")]
    assert "=" not in search  # one search for each lesson would be `INDEX 0:=M1`
