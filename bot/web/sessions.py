"""Who visits the page: a signed cookie that says which person signed in, when, and what proves their forms.

The cookie holds no name and no id of a platform: a person's number, and the beginning of the keyed hash of their
account. Whoever was forgotten has another hash, so their old cookies, on all devices, are nobody's.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from itsdangerous import BadData, URLSafeSerializer

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

DAY = 24 * 3600
LONGEST = 30 * DAY  # seconds that a session lasts
LONGEST_OF_OPERATORS = DAY // 2  # of one that the operator's link began
MARK = 16  # characters of the account's hash


@dataclass(frozen=True)
class Session:
    """A browser's session. `csrf` proves that a form is ours; `person` is None until somebody signs in.

    `operator`: an operator's link began it. `short`: it began while the person was an operator in any other way.
    `guest`: the person has no account. `state` and `verifier` belong to a sign-in with Discord that has begun.
    """

    csrf: str
    at: float
    person: int | None = None
    mark: str = ""
    operator: bool = False
    guest: bool = False
    language: str = ""
    state: str = ""
    verifier: str = ""
    short: bool = False

    @property
    def longest(self) -> int:
        """How many seconds it lasts."""
        return LONGEST_OF_OPERATORS if self.operator or self.short else LONGEST


class Sessions:
    """Reads and writes the cookie. `secret` signs it, and names it: a host may have two installations, and its ports
    share their cookies.
    """

    def __init__(self, secret: str) -> None:
        self.cookie = f"parley-{hashlib.sha256(secret.encode()).hexdigest()[:8]}"
        self._signer = URLSafeSerializer(secret, salt="session")

    def new(self, **more: Any) -> Session:
        """A session that begins now, with a proof of its own."""
        return Session(csrf=secrets.token_urlsafe(24), at=time.time(), **more)

    def with_language(self, session: Session, language: str) -> Session:
        """The same session in another language."""
        return replace(session, language=language)

    def read(self, request: Request) -> Session | None:
        """The session of a request; None without a valid cookie."""
        try:
            held = self._signer.loads(request.cookies.get(self.cookie, ""))
            session = Session(**{each.name: held[each.name] for each in fields(Session)})
        except (BadData, KeyError, TypeError):
            return None
        return session if 0 <= time.time() - session.at + 60 <= session.longest else None

    def write(self, request: Request, response: Response, session: Session) -> None:
        """Let the browser keep a session. Scripts cannot read it, and other sites' forms do not send it."""
        response.set_cookie(
            self.cookie,
            self._signer.dumps(asdict(session)),
            max_age=session.longest,
            path=_path(request),
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="lax",
        )

    def end(self, request: Request, response: Response) -> None:
        """Let the browser forget its session."""
        response.delete_cookie(self.cookie, path=_path(request))


def _path(request: Request) -> str:
    return f"{request.scope.get('root_path', '')}/"
