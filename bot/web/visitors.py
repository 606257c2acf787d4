"""Who asks for a page, and whether a form is really theirs: what every page checks first."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_network
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request

from bot.texts import Texts, texts
from bot.web.safety import TooLarge
from bot.web.sessions import MARK, Session
from data.personas import LANGUAGES

if TYPE_CHECKING:
    from bot.web.site import Site

SIGNED_OUT = "signed_out_of_web"  # a person's setting: sessions from before this time are over
_FIELDS, _LARGEST = 40, 256 * 1024  # of one form: fields, and bytes of each


class SignInNeeded(Exception):
    """Nobody is signed in."""


class NotYours(Exception):
    """There is nothing at this address, or it belongs to somebody else; nobody can tell which."""


class Forged(Exception):
    """A form came without the proof that this page sent it."""


class Unusable(Exception):
    """A request cannot be used; `str` is the sentence for the person."""


def site_of(request: Request) -> Site:
    """The parts of the page."""
    site: Site = request.app.state.site
    return site


@dataclass(frozen=True)
class Stranger:
    """A browser, whoever uses it. `fresh`: the session began with this request."""

    request: Request
    site: Site
    session: Session
    fresh: bool

    @property
    def language(self) -> str:
        """The language of what they read: chosen, else asked for by the browser, else the installation's."""
        if self.session.language in LANGUAGES:
            return self.session.language
        return accepted(self.request.headers.get("accept-language", "")) or self.site.settings.language

    @property
    def texts(self) -> Texts:
        """The sentences in that language."""
        return texts(self.language)

    @property
    def path(self) -> str:
        """Where they are, for the way back; the beginning, after a form."""
        if self.request.method != "GET":
            return "/"
        there = self.request.url.path.removeprefix(self.request.scope.get("root_path", ""))
        return f"{there}?{self.request.url.query}" if self.request.url.query else there

    @property
    def address(self) -> str:
        """The IP address that they come from; of IPv6 its /64, which is the least that one household gets."""
        host = self.request.client.host if self.request.client else ""
        try:
            there = IPv6Address(host.partition("%")[0])
        except ValueError:
            return host
        return str(there.ipv4_mapped or ip_network((there, 64), strict=False))


@dataclass(frozen=True)
class Visitor(Stranger):
    """Somebody who signed in."""

    person: int = 0
    operator: bool = False


def accepted(header: str) -> str | None:
    """The first of our languages in an Accept-Language header, by weight; None if there is none."""
    found = []
    for place, part in enumerate(header[:200].split(",")):
        tag, _, weight = part.strip().partition(";q=")
        language = tag.strip().lower()[:2]
        if language in LANGUAGES:
            try:
                found.append((-float(weight or 1), place, language))
            except ValueError:
                continue
    return min(found)[2] if found else None


async def stranger(request: Request) -> Stranger:
    """The browser of a request; it may get a new session."""
    site = site_of(request)
    session = site.sessions.read(request)
    return Stranger(request, site, session or site.sessions.new(), fresh=session is None)


async def visitor(request: Request) -> Visitor:
    """Who is signed in. Raises `SignInNeeded`."""
    site = site_of(request)
    session = site.sessions.read(request)
    if session is None or session.person is None or not await signed_in(site, session):
        raise SignInNeeded
    operator = session.operator or session.person in await site.operators()
    return Visitor(request, site, session, fresh=False, person=session.person, operator=operator)


async def signed_in(site: Site, session: Session) -> bool:
    """Whether a session's person is still there and did not sign out since."""
    if session.person is None:
        return False
    account = await site.store.id_hash_of(session.person)
    ended = await site.store.setting(SIGNED_OUT, [("person", str(session.person))], 0)
    return account is not None and account[:MARK] == session.mark and session.at > ended


async def form(request: Request) -> FormData:
    """The fields of a form that this page sent. Raises `Forged`, or `TooLarge`."""
    session = site_of(request).sessions.read(request)
    try:
        sent = await request.form(max_files=0, max_fields=_FIELDS, max_part_size=_LARGEST)
    except TooLarge:
        raise
    except HTTPException as error:  # Starlette's words for its limits; what else it cannot read is no form of ours
        raise (TooLarge if "maximum" in error.detail.casefold() else Forged) from error
    except Exception as error:
        raise Forged from error
    proof = request.headers.get("x-csrf") or field(sent, "csrf")
    if session is None or not secrets.compare_digest(proof.encode(), session.csrf.encode()):
        raise Forged
    return sent


def field(sent: FormData, name: str) -> str:
    """A text field of a form; empty where there is none."""
    value = sent.get(name)
    return value if isinstance(value, str) else ""


SomeBrowser = Annotated[Stranger, Depends(stranger)]
Member = Annotated[Visitor, Depends(visitor)]
Sent = Annotated[FormData, Depends(form)]
