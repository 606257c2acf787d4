"""What PARLEY_ENGINE_RELEASES says, as an address of each release."""

import pytest

from data.release_address import release_address


@pytest.mark.parametrize(
    ("pattern", "address"),
    [
        ("http://127.0.0.1:9{release:03}/v1", "http://127.0.0.1:9007/v1"),
        ("https://llama.example/release-{release:04}/v1", "https://llama.example/release-0007/v1"),
        ("http://router:8080/v1", "http://router:8080/v1"),
    ],
)
def test_a_number_makes_an_address(pattern: str, address: str) -> None:
    assert release_address(pattern, 7) == address


@pytest.mark.parametrize(
    "wrong", ["llama", "http://{number}/v1", "http://{}/v1", "http://a:{release}x", "{release.x}"]
)
def test_what_makes_none_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="use ollama, or an address such as"):
        release_address(wrong, 7)
