"""The keys of the API: what each may do, and whose people its users are.

A key is a random text that is shown once, when it is made. The store holds its SHA-256 alone: nobody guesses 256
random bits, so the hash needs no secret of its own.

A key's platform says where its users talk. Two keys of one platform share its people, so a key can be replaced.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from data.database import Database
from data.errors import BadInput
from data.platforms import DISCORD, platform_name
from data.row import IMPORT
from data.schema import ApiKeyRow
from data.times import now

CHAT, FEEDBACK, ROWS = "chat", "feedback", "rows"
RIGHTS = (CHAT, FEEDBACK, ROWS)
_OURS = ("terminal", "web", IMPORT)  # platforms that are Parley's own
_BEGINNING = "sk-parley-"  # some programs take only what begins like this for a key
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,39}")
_PLATFORM = re.compile(r"[a-z0-9][a-z0-9_.-]{0,19}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key without its secret; see `data.schema.ApiKeyRow`."""

    name: str
    platform: str
    rights: tuple[str, ...] = (CHAT, FEEDBACK)
    consent_text: str | None = None
    hourly: int = 0
    hourly_per_user: int = 0
    revoked: bool = False

    def may(self, right: str) -> bool:
        """Whether it may do this, one of `RIGHTS`."""
        return right in self.rights


class ApiKeys:
    """The keys of an installation. Each method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, new: ApiKey) -> str:
        """Make a key; returns its secret, which nobody can read again. A revoked key's name may be used again.

        Raises `BadInput` for a name that is taken, and for a name or platform that cannot be one.
        """
        check_name(new.name)
        check_platform(new.platform)
        secret = _BEGINNING + secrets.token_urlsafe(32)
        async with self._database.write() as session:
            row = await session.scalar(select(ApiKeyRow).where(ApiKeyRow.name == new.name))
            if row is not None and row.revoked_at is None:
                raise BadInput(
                    f"There is a key named {new.name!r} already. Choose another name, or revoke it first "
                    f"(`python -m data keys revoke {new.name}`)."
                )
            if row is None:
                row = ApiKeyRow(name=new.name)
                session.add(row)
            row.secret_sha256, row.platform = _sha256(secret), new.platform
            row.may_chat, row.may_feedback, row.may_rows = (new.may(right) for right in RIGHTS)
            row.consent_text, row.hourly, row.hourly_per_user = new.consent_text, new.hourly, new.hourly_per_user
            row.created_at, row.revoked_at = now(), None
        return secret

    async def find(self, secret: str) -> ApiKey | None:
        """The key with this secret; None for an unknown one and for one that was revoked."""
        query = select(ApiKeyRow).where(ApiKeyRow.secret_sha256 == _sha256(secret), ApiKeyRow.revoked_at.is_(None))
        async with self._database.read() as session:
            row = await session.scalar(query)
        return None if row is None else _key(row)

    async def every(self) -> list[ApiKey]:
        """All keys, those that were revoked too, by name."""
        async with self._database.read() as session:
            return [_key(row) for row in await session.scalars(select(ApiKeyRow).order_by(ApiKeyRow.name))]

    async def revoke(self, name: str) -> bool:
        """Let a key open nothing from now on; False where it does not now. Raises `BadInput` for an unknown name."""
        async with self._database.write() as session:
            return await _revoke(session, name)


async def _revoke(session: AsyncSession, name: str) -> bool:
    row = await session.scalar(select(ApiKeyRow).where(ApiKeyRow.name == name))
    if row is None:
        raise BadInput(f"There is no key named {name!r}; `python -m data keys list` shows them.")
    if row.revoked_at is not None:
        return False
    await session.execute(update(ApiKeyRow).where(ApiKeyRow.id == row.id).values(revoked_at=now()))
    return True


def check_name(name: str) -> None:
    """Raise `BadInput` for what cannot name a key."""
    if not _NAME.fullmatch(name):
        raise BadInput(
            f"{name!r} cannot name a key. Use up to 40 small letters, digits, and - _ . and begin with a letter or "
            "digit."
        )


def check_platform(name: str) -> None:
    """Raise `BadInput` for what cannot be the platform of a key: Discord however it is spelt, or one of ours.

    What people write on Discord needs Discord's permission to train, whichever way it comes here.
    """
    if not _PLATFORM.fullmatch(name):
        raise BadInput(
            f"{name!r} cannot name a platform. Use up to 20 small letters, digits, and - _ . and begin with a letter "
            "or digit."
        )
    if platform_name(name) == DISCORD:
        raise BadInput(
            f"The platform {name!r} reads as Discord, and Discord's messages may not come through the API: they need "
            "Discord's permission to train anything. Run the bot on Discord instead."
        )
    if name in _OURS:
        raise BadInput(f"The platform {name!r} is one of Parley's own. Name the one where your users talk.")


def _sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()


def _key(row: ApiKeyRow) -> ApiKey:
    may = dict(zip(RIGHTS, (row.may_chat, row.may_feedback, row.may_rows), strict=True))
    return ApiKey(
        name=row.name,
        platform=row.platform,
        rights=tuple(right for right in RIGHTS if may[right]),
        consent_text=row.consent_text,
        hourly=row.hourly,
        hourly_per_user=row.hourly_per_user,
        revoked=row.revoked_at is not None,
    )
