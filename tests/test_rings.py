"""Each test runs in one ring, and its ring is read from the source before anything is imported."""

import pytest

from tests.conftest import ring, rings


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("def test_it(): ...\n", {"unit"}),
        ("@pytest.mark.tiny\ndef test_it(): ...\n", {"unit", "tiny"}),
        ("pytestmark = pytest.mark.played\n", {"played"}),
        ("pytestmark = [pytest.mark.tiny, pytest.mark.process]\n", {"whole"}),
        ("pytestmark = [\n    pytest.mark.process,\n    pytest.mark.skipif(x, reason='y'),\n]\n", {"whole"}),
        ("pytestmark = pytest.mark.tiny\n\n@pytest.mark.long\ndef test_it(): ...\n", {"tiny", "whole"}),
        ("pytestmark = pytest.mark.tiny\n\n@pytest.mark.base\ndef test_it(): ...\n", {"tiny", "base"}),
        ("pytestmark = pytest.mark.base\n\n@pytest.mark.process\ndef test_it(): ...\n", {"base"}),
        ("@pytest.mark.parametrize('x', [1, pytest.param(2, marks=pytest.mark.simulation)])\n", {"unit", "whole"}),
    ],
)
def test_the_rings_of_a_file_are_those_of_its_marks(source: str, found: set[str]) -> None:
    assert rings(source) == found


@pytest.mark.tiny
@pytest.mark.long
def test_a_test_with_several_marks_is_in_the_last_of_their_rings(request: pytest.FixtureRequest) -> None:
    assert ring(request.node) == "whole"
