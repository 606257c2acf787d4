"""The hashes of a row's content stay the same: ids, folds and the order of rows follow from them."""

import hashlib
import json
from typing import Any

import pytest

from data.candidates import Candidate, anchor
from data.shelved import Content

ALL = "".join(map(chr, [*range(0xD800), *range(0xE000, 0x10000), 0x1F600]))
PROMPT = [{"role": "system", "content": ALL}, {"role": "user", "content": 'He said: "a\\b"'}]


def content(parts: dict[str, list[Any]], **more: Any) -> tuple[Candidate, Content]:
    first = next(iter(parts.values()))
    one = {"problem": None, "anchor": anchor(first, None), "platform": "import"}
    found = Candidate(parts=parts, persona=None, language=None, source="import", **one, **more)
    return found, Content.of(found)


def hashed(data: Any) -> bytes:
    raw = json.dumps(data, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(raw.encode()).digest()[:16]


@pytest.mark.parametrize("role", ["assistant", "tool", "narrator"])
def test_content_is_hashed_as_sorted_json(role: str) -> None:
    answer = [{"role": role, "content": "yes\n"}]
    one, found = content({"prompt": PROMPT, "completion": answer}, kind="labelled", label=False)
    assert found.digest == found.feedback_digest == hashed(one.data)
    assert found.plain
    assert found.asked(one) == hashed({"prompt": PROMPT})


def test_a_correction_keeps_the_id_of_its_first_form() -> None:
    answer = [{"role": "assistant", "content": "yes"}]
    one, found = content({"prompt": PROMPT, "completion": answer}, kind="demonstration")
    assert found.digest == hashed(one.data)
    assert found.feedback_digest == hashed({"messages": [*PROMPT, *answer]})


def test_keys_of_a_message_beside_its_text_count() -> None:
    said = [*PROMPT, {"role": "assistant", "content": "", "weight": 0}]
    one, found = content({"messages": said}, kind="demonstration", tools=[{"name": "f", "at": 1e16}])
    assert found.digest == hashed(one.data)
    assert not found.plain
