"""What is on this machine or in its network: IP addresses, and the names that lead only to such addresses."""

import ipaddress
import socket
from collections.abc import Collection, Iterable

_OWN = (ipaddress.IPv6Network("fc00::/7"), ipaddress.IPv6Network("fe80::/10"))  # unique local, link-local


def is_address(host: str) -> bool:
    """Whether a host is an IP address and no name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def own(host: str) -> bool:
    """Whether an IP address is on this machine or in a private network. Of names, `localhost` alone is."""
    if not is_address(host):
        return host == "localhost"
    address = ipaddress.ip_address(host)
    if isinstance(address, ipaddress.IPv6Address):
        # Python also calls ranges private that a tunnel carries to any machine, such as Teredo's.
        if address.ipv4_mapped is None:
            return address.is_loopback or address.is_unspecified or any(address in network for network in _OWN)
        address = address.ipv4_mapped
    return address.is_private


def all_own(hosts: Collection[str]) -> bool:
    """Whether there are addresses and all of them are on this machine or in a private network."""
    return bool(hosts) and all(map(own, hosts))


def lookup(name: str) -> list[str]:
    """The IP addresses that a name leads to now, each once. It blocks. Raises `OSError` for an unknown name."""
    try:
        return addresses(socket.getaddrinfo(name, None, type=socket.SOCK_STREAM))
    except UnicodeError as error:  # a part of the name is empty, or too long
        raise OSError(str(error)) from None


def addresses(found: Iterable[tuple[object, ...]]) -> list[str]:
    """The addresses in what `getaddrinfo` returns, each once, in its order."""
    return list(dict.fromkeys(str(entry[-1][0]) for entry in found))  # type: ignore[index]  # the last part is a tuple
