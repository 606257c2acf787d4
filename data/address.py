"""The address of a server: what it is asked with, and how it may be named in a sentence or a log, without secrets."""

from __future__ import annotations

import base64
import ipaddress
import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

# A part of a path that is a key rather than a name.
_KEY = re.compile(r"(?=.*\d)[\w.~%=+-]{16,}|[\w.~%=+-]{40,}")


@dataclass(frozen=True)
class Address:
    """`url` has neither a password nor a query; these are sent with each request, and never shown."""

    url: str
    shown: str
    query: dict[str, str] = field(default_factory=dict, repr=False)
    authorization: str | None = field(default=None, repr=False)

    @property
    def loopback(self) -> bool:
        """Whether the server is on this machine."""
        host = urlsplit(self.url).hostname or ""
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"


def address(url: str) -> Address:
    """Takes an address apart."""
    parts = urlsplit(url.strip())
    person, _, place = parts.netloc.rpartition("@")
    plain = f"{parts.scheme}://{place}{parts.path}".rstrip("/")
    path = "/".join("…" if _KEY.fullmatch(each) else each for each in parts.path.split("/"))
    authorization = None
    if person:
        pair = ":".join(map(unquote, person.split(":", 1)))
        authorization = f"Basic {base64.b64encode(pair.encode()).decode()}"
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    return Address(plain, f"{parts.scheme}://{place}{path}".rstrip("/"), query, authorization)
