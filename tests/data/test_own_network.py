"""Which addresses are on this machine or in its network: what people write may go there without being asked."""

import pytest

from data.own_network import all_own, own


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "127.0.0.1",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.9",
        "192.168.1.7",
        "169.254.1.1",
        "::1",
        "::",
        "fd12:3456::1",
        "fe80::1",
        "fe80::1%eth0",
        "::ffff:10.0.0.1",
        "::ffff:127.0.0.1",
    ],
)
def test_what_is_inside_is_own(host: str) -> None:
    assert own(host)


@pytest.mark.parametrize(
    "host",
    [
        "8.8.8.8",
        "100.64.0.1",  # shared by the customers of a provider
        "example.com",
        "",
        "2606:4700::1111",
        "::ffff:8.8.8.8",
        "::ffff:0:8.8.8.8",  # translated
        "::8.8.8.8",  # compatible
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",  # Teredo
        "2002:808:808::1",  # 6to4
        "2002:a00:1::1",  # 6to4 of a private address, which no router outside carries there
        "64:ff9b::8.8.8.8",  # NAT64
        "64:ff9b:1::8.8.8.8",  # NAT64 with a prefix of its own
        "2001:db8::1",
        "2001:20::1",
    ],
)
def test_what_may_be_carried_to_another_network_is_not_own(host: str) -> None:
    assert not own(host)


def test_a_name_with_one_address_outside_is_outside() -> None:
    assert all_own(["10.0.0.1", "fd00::1"])
    assert not all_own(["10.0.0.1", "2001:0:4136:e378:8000:63bf:3fff:fdd2"])
    assert not all_own([])
