"""The people of a program: each of its users is a pseudonym here, with a consent of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

from bot.web.api.errors import ApiError
from data.consent import CONSENT_VERSION, still_says
from data.errors import BadInput

if TYPE_CHECKING:
    from bot.web.api.asked import Asker
    from data.api_keys import ApiKey
    from data.store import Store


class Given(BaseModel):
    """A user's answer to the question of consent."""

    model_config = ConfigDict(extra="forbid", strict=True)
    consent: bool


class Recorded(BaseModel):
    """The answer as it was recorded; `message` says what follows from it."""

    id: str
    object: Literal["consent"] = "consent"
    consent: bool
    message: str


def user_of(key: ApiKey, asker: Asker) -> str:
    """The id of who asks. Without one it is the program's owner, who is called like the platform."""
    return asker.user if asker.user is not None else key.platform


async def person_of(store: Store, key: ApiKey, asker: Asker) -> int:
    """The person who asks. What the program says about their consent is recorded first, if it is news.

    Raises `ApiError` where the key may not say that somebody agreed.
    """
    if asker.consent:
        _check_consent(key)
    person = await store.person(key.platform, user_of(key, asker))
    if asker.consent is not None:
        known = await store.agrees(person) if asker.consent else await store.consent(person) is False
        if not known:
            await store.set_consent(person, asker.consent, key.consent_text or CONSENT_VERSION)
    return person


async def known_user(store: Store, key: ApiKey, user: str) -> int:
    """A user who is known already. Raises `ApiError` for anybody else."""
    try:
        return await store.person_named(f"{key.platform}:{user}")
    except BadInput:
        raise ApiError(404, "Nothing is kept of a user with this id.", "user_not_found", param="user") from None


def _check_consent(key: ApiKey) -> None:
    if key.consent_text is None:
        raise ApiError(
            403,
            "This key may not say that users agreed. The operator makes one that may with `python -m data keys add "
            "NAME --consent`, once the program asks its users with Parley's text.",
            "consent_not_allowed",
            param="consent",
        )
    if not still_says(key.consent_text):
        raise ApiError(
            403,
            "The consent text has changed since this key was made. Ask users with the text of /v1/consent, and let "
            "the operator make the key anew (`python -m data keys revoke` and `add`).",
            "consent_outdated",
            param="consent",
        )
