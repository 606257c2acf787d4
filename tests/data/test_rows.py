import json
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.chat import blank
from data.errors import BadInput
from data.rows import KINDS, Row, content_id, parse_row, read_rows, write_rows

USER = {"role": "user", "content": "hi"}
SYSTEM = {"role": "system", "content": "be kind"}
ANSWER = {"role": "assistant", "content": "ho"}
OTHER = {"role": "assistant", "content": "hum"}
DEMO = {"messages": [USER, ANSWER]}
PREFERENCE = {"prompt": [USER], "chosen": [ANSWER], "rejected": [OTHER]}
LABELLED = {"prompt": [USER], "completion": [ANSWER], "label": True}
GOOD = {"demonstration": DEMO, "preference": PREFERENCE, "labelled": LABELLED, "prompt": {"prompt": [USER]}}


def without(row: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != key}


# What is wrong, where the sentence must say it is, and what it must say was expected.
BAD: dict[str, tuple[Any, str, str]] = {
    "no object": ([1], "", "expected a JSON object, found an array"),
    "no keys": ({}, "", "expected the keys of a demonstration .* found nothing"),
    "misspelt key": ({"mesages": []}, "", "Did you mean 'messages'"),
    "unknown keys": ({"text": "x"}, "", "found 'text'"),
    "preference without rejected": (without(PREFERENCE, "rejected"), "rejected", "missing in a preference row"),
    "preference without chosen": (without(PREFERENCE, "chosen"), "chosen", "missing in a preference row"),
    "rejected misspelt": (
        {**without(PREFERENCE, "rejected"), "rejectd": [OTHER]},
        "rejected",
        "missing in a preference row.* Did you mean 'rejectd'",
    ),
    "completion missing": ({"prompt": [USER], "label": True}, "completion", "missing in a labelled row"),
    "prompt missing": ({"completion": [ANSWER]}, "prompt", "missing in a demonstration row"),
    "label a number": ({**LABELLED, "label": 1}, "label", "expected true or false, found 1"),
    "label a text": ({**LABELLED, "label": "true"}, "label", "expected true or false, found 'true'"),
    "messages a text": ({"messages": "hi"}, "messages", "expected a list of messages, found 'hi'"),
    "messages empty": ({"messages": []}, "messages", "expected a list of messages"),
    "messages null": ({"messages": None}, "", "expected the keys of a demonstration .* found nothing"),
    "message a text": ({"messages": ["hi"]}, "messages[0]", "expected a message with role and content"),
    "role missing": ({"messages": [USER, {"content": "x"}]}, "messages[1].role", "missing"),
    "content misspelt": ({"messages": [{"role": "user", "contnt": "x"}]}, "messages[0].content", "'contnt'"),
    "role unknown": ({"messages": [{"role": "human", "content": "x"}]}, "messages[0].role", "found 'human'"),
    "role a list": ({"messages": [{"role": [], "content": "x"}]}, "messages[0].role", "found an array"),
    "content null": ({"messages": [{"role": "user", "content": None}]}, "messages[0].content", "found null"),
    "content parts": ({"messages": [{"role": "user", "content": [{}]}]}, "messages[0].content", "found an array"),
    "content an image": (
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}, ANSWER]},
        "messages[0].content",
        "trains texts only, found image_url",
    ),
    "content blank": ({"messages": [{"role": "user", "content": " \n"}]}, "messages[0].content", "empty"),
    "system late": ({"messages": [USER, SYSTEM, ANSWER]}, "messages[1].role", "can only be the first"),
    "system as answer": ({**PREFERENCE, "chosen": [SYSTEM]}, "chosen[0].role", "can only be the first"),
    "last not assistant": ({"messages": [USER, ANSWER, USER]}, "messages", "last message must be the assistant's"),
    "no question": ({"messages": [SYSTEM, ANSWER]}, "messages", "a user's message before"),
    "prompt ends in answer": ({"prompt": [USER, ANSWER]}, "prompt", "last message must be the user's"),
    "two answers": ({**PREFERENCE, "chosen": [ANSWER, ANSWER]}, "chosen", "exactly one assistant message"),
    "answer by user": ({**LABELLED, "completion": [USER]}, "completion", "exactly one assistant message"),
    "same answers": ({**PREFERENCE, "rejected": [ANSWER]}, "rejected", "same text as 'chosen'"),
    "persona a number": ({**DEMO, "persona": 3}, "persona", "expected a text, found 3"),
    "id a list": ({**DEMO, "id": [3]}, "id", "expected a text"),
    "platform a list": ({**DEMO, "platform": ["discord"]}, "platform", "expected a text"),
    "consent a text": ({**DEMO, "consent": "yes"}, "consent", "expected true or false, found 'yes'"),
    "tie a text": ({**PREFERENCE, "tie": "yes"}, "tie", "expected true or false, found 'yes'"),
    "outside judge a number": ({**DEMO, "outside_judge": 1}, "outside_judge", "expected true or false, found 1"),
    "margin negative": ({**PREFERENCE, "margin": -0.5}, "margin", "from 0 to 1000, found -0.5"),
    "weight negative": ({**DEMO, "weight": -1}, "weight", "from 0 to 100, found -1"),
    "weight a text": ({**DEMO, "weight": "1"}, "weight", "expected a number"),
    "weight true": ({**DEMO, "weight": True}, "weight", "expected a number"),
    "weight not finite": ({**DEMO, "weight": float("nan")}, "weight", "expected a number"),
    "weight too large": ({**DEMO, "weight": 10**400}, "weight", "expected a number"),
    "half a surrogate": (
        {"messages": [{"role": "user", "content": "\ud83d"}, ANSWER]},
        "messages[0].content",
        "surrogate",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_row_names_file_line_field_and_what_was_expected(tmp_path: Path, case: str) -> None:
    row, field, expected = BAD[case]
    path = tmp_path / "rows.jsonl"
    path.write_text(f"{json.dumps(DEMO)}\n\n{json.dumps(row)}\n", encoding="utf-8")
    with pytest.raises(BadInput, match=expected) as caught:
        read_rows(path)
    place = f", field '{field}'" if field else ""
    assert str(caught.value).startswith(f"{path}, line 3{place}: ")


@pytest.mark.parametrize(
    "line", ["{", "{'messages': []}", "[" * 100_000, '{"weight": ' + "9" * 5000 + "}", '"\\ud83d" x']
)
def test_what_is_not_json_names_file_and_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(f"{json.dumps(DEMO)}\n{line}\n")
    with pytest.raises(BadInput) as caught:
        read_rows(path)
    assert str(caught.value).startswith(f"{path}, line 2: not JSON")


def test_an_extra_key_with_half_a_surrogate_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({**DEMO, "id": "\ud83d"}))
    with pytest.raises(BadInput, match=r"line 1, field 'id': .*surrogate"):
        read_rows(path)


def test_errors_do_not_show_what_people_wrote(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    secret = "my very private sentence about my life"
    for row in ({"messages": secret}, {**DEMO, "persona": [secret]}, {"messages": [{"role": secret, "content": ""}]}):
        path.write_text(json.dumps(row))
        with pytest.raises(BadInput) as caught:
            read_rows(path)
        assert "private" not in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n\n")
    (tmp_path / "latin").write_bytes(json.dumps(DEMO).encode() + b"\n\xe9\n")
    for name, sentence in {
        "missing": "There is no file",
        "empty": "holds no rows",
        "latin": "not UTF-8",
        "empty/below": "cannot be read",
    }.items():
        with pytest.raises(BadInput, match=sentence):
            read_rows(tmp_path / name)


@pytest.mark.parametrize("kind", KINDS)
def test_the_kind_is_recognised_and_can_be_demanded(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(GOOD[kind]))
    assert [row.kind for row in read_rows(path)] == [kind]
    assert [row.kind for row in read_rows(path, kind)] == [kind]
    other = "demonstration" if kind != "demonstration" else "preference"
    expected = {
        "labelled": "a row with a verdict is not a demonstration",
        "preference": "a demonstration has no better and worse answer",
    }.get(kind, f"missing in a {other} row")
    with pytest.raises(BadInput, match=expected):
        read_rows(path, other)


def test_a_prompt_with_its_completion_is_a_demonstration_unless_a_label_is_demanded(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(without(LABELLED, "label")))
    for rows in (read_rows(path), read_rows(path, "demonstration")):
        assert [(row.kind, row.parts, row.messages) for row in rows] == [
            ("demonstration", ("prompt", "completion"), [USER, ANSWER])
        ]
    with pytest.raises(BadInput, match="field 'label': missing; true is a thumb up"):
        read_rows(path, "labelled")


def test_line_ends_and_marks_of_other_systems(tmp_path: Path) -> None:
    strange = {"messages": [{"role": "user", "content": "a\u2028b\u0085c\x0bd\re"}, ANSWER]}
    lines = [json.dumps(DEMO), json.dumps(strange, ensure_ascii=False), ""]
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    rows = read_rows(path)
    assert [row.line for row in rows] == [1, 2]
    assert rows[1].data == strange
    assert rows[1].messages[0]["content"] == "a\u2028b\u0085c\x0bd\re"


def test_stray_keys_in_a_message_do_not_reach_a_trainer() -> None:
    row = parse_row({"messages": [{**USER, "timestamp": 3}, {**ANSWER, "id": "b"}], "extra": {"a": 1}})
    assert row.data == DEMO
    assert row.extra == {"extra": {"a": 1}}


def test_ids_are_the_rows_own_or_made_of_the_content() -> None:
    assert parse_row({**DEMO, "id": "x"}).id == "x"
    assert parse_row({**DEMO, "persona": "tutor"}).id == content_id(DEMO)
    ids = {parse_row(row).id for row in GOOD.values()} | {parse_row({**LABELLED, "label": False}).id}
    assert len(ids) == 5


CONTENT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).filter(
    lambda text: not blank(text)
)
EXTRAS = st.fixed_dictionaries(
    {},
    optional={
        "persona": CONTENT,
        "language": st.sampled_from(["en", "zh"]),
        "source": CONTENT,
        "id": CONTENT,
        "weight": st.floats(0, 10) | st.integers(0, 10),
        "platform": st.sampled_from(["discord", "terminal"]),
        "consent": st.booleans(),
        "something": st.recursive(st.booleans() | st.integers() | CONTENT, lambda inner: st.lists(inner, max_size=2)),
    },
)


@st.composite
def rows(draw: st.DrawFn) -> Row:
    def message(role: str) -> dict[str, str]:
        return {"role": role, "content": draw(CONTENT)}

    kind = draw(st.sampled_from(KINDS))
    prompt = [message("system")] if draw(st.booleans()) else []
    for _ in range(draw(st.integers(0, 2))):
        prompt += [message("user"), message("assistant")]
    prompt.append(message("user"))
    answer = [message("assistant")]
    if kind == "demonstration":
        whole: dict[str, Any] = {"messages": [*prompt, *answer]}
        data = draw(st.sampled_from([whole, {"prompt": prompt, "completion": answer}]))
    elif kind == "preference":
        data = {"prompt": prompt, "chosen": answer, "rejected": [{**answer[0], "content": draw(CONTENT) + "!"}]}
        data["chosen"] = [{**answer[0], "content": answer[0]["content"] + "?"}]
    elif kind == "labelled":
        data = {"prompt": prompt, "completion": answer, "label": draw(st.booleans())}
    else:
        data = {"prompt": prompt}
    return Row(kind, data, draw(EXTRAS))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wanted=st.lists(rows(), min_size=1, max_size=3))
def test_every_valid_row_survives_writing_and_reading(tmp_path: Path, wanted: list[Row]) -> None:
    path = tmp_path / "rows.jsonl"
    write_rows(path, wanted)
    found = read_rows(path)
    assert [(row.kind, row.data, row.extra) for row in found] == [(row.kind, row.data, row.extra) for row in wanted]
    assert [row.line for row in found] == list(range(1, len(wanted) + 1))
    assert [row.id for row in found] == [row.id for row in wanted]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
