"""Who wrote a server's personas. Their texts are their authors' words: for consent, for forgetting and for export.

A server's personas are in its setting `personas`, by name, with their authors: `{"NAME": {"system_prompt": ...,
"greeting": ..., "authors": {"PERSON": "when"}}}`. Whoever rewrites a persona becomes one of its authors, since much
of the text may be the others'. Each text that the model may get is a row of `system_prompts` as well, so the author
of what an answer was given is still known after the persona was rewritten or deleted. A persona without known authors
counts as written by somebody who refuses. The shipped personas are nobody's words.
"""

import hashlib
import json
import secrets
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, exists, select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.ext.asyncio import AsyncSession

from data.schema import Conversation, Generation, Server, Setting, SystemPrompt, SystemPromptAuthor
from data.times import now

PERSONAS_HERE = "personas"  # the setting of servers that holds their personas

# A person who wrote a text, and when.
Author = tuple[int, datetime]


def with_author(before: Mapping[str, Any] | None, author: int | None) -> dict[str, str]:
    """The authors of a persona, as its setting holds them, after `author` rewrote what was `before`."""
    authors = dict((before or {}).get("authors", {}))
    return authors if author is None else {**authors, str(author): now().isoformat()}


async def record_personas(session: AsyncSession, server: str, personas: Mapping[str, Any] | None) -> None:
    """Keep who wrote the texts of a server's personas; `server` is the platform's id."""
    for persona in (personas or {}).values():
        text, authors = persona["system_prompt"], persona.get("authors", {})
        name = json.dumps([server, text, sorted(authors.items())], ensure_ascii=False)
        new = {"sha256": _sha256(name), "text": text, "server": server, "written_at": now()}
        added = insert(SystemPrompt).values(new).on_conflict_do_nothing().returning(SystemPrompt.id)
        number = await session.scalar(added)
        if number is not None:
            session.add_all(
                SystemPromptAuthor(prompt_id=number, person_id=int(person), at=datetime.fromisoformat(at))
                for person, at in authors.items()
            )


# The texts of personas that were written on a conversation's server. It runs for every answer.
_WRITTEN_HERE = (
    select(SystemPrompt)
    .join(Server, Server.platform_id == SystemPrompt.server)
    .join(Conversation, Conversation.server_id == Server.id)
    .where(Conversation.id == bindparam("conversation"))
    .order_by(SystemPrompt.id.desc())
)


async def system_prompt(session: AsyncSession, text: str, conversation: int) -> int:
    """The number of a system prompt as it was sent to the model in a conversation."""
    if text:
        bare = _bare(text)
        for written in await session.scalars(_WRITTEN_HERE, {"conversation": conversation}):
            if _bare(written.text) == bare:
                return written.id
    new = {"sha256": _sha256(text), "text": text}
    await session.execute(insert(SystemPrompt).values(new).on_conflict_do_nothing())
    query = select(SystemPrompt.id).where(SystemPrompt.sha256 == new["sha256"])
    return (await session.scalars(query)).one()


async def prompt_authors(session: AsyncSession) -> dict[int, tuple[Author, ...]]:
    """The authors of each system prompt that has known ones."""
    found: dict[int, list[Author]] = defaultdict(list)
    for row in await session.scalars(select(SystemPromptAuthor)):
        found[row.prompt_id].append((row.person_id, row.at))
    return {number: tuple(authors) for number, authors in found.items()}


async def personas_by(session: AsyncSession, person: int) -> list[dict[str, Any]]:
    """The texts of personas that a person wrote or rewrote, for them to read."""
    query = (
        select(SystemPrompt, SystemPromptAuthor.at)
        .join(SystemPromptAuthor, SystemPromptAuthor.prompt_id == SystemPrompt.id)
        .where(SystemPromptAuthor.person_id == person, SystemPrompt.text != "")
        .order_by(SystemPrompt.id)
    )
    found = [
        {"at": at.isoformat(), "server": prompt.server, "system_prompt": prompt.text}
        for prompt, at in await session.execute(query)
    ]
    for row in await _settings(session):
        for name, persona in row.value["is"].items():
            if str(person) in persona.get("authors", {}):
                found.append({"server": row.scope_id, "name": name, "greeting": persona["greeting"]})
    return found


async def answers_under(session: AsyncSession, person: int) -> list[int]:
    """The versions of the answers that were given under a persona of this person's; they may repeat its text."""
    query = (
        select(Generation.version_id)
        .join(SystemPromptAuthor, SystemPromptAuthor.prompt_id == Generation.system_prompt_id)
        .where(SystemPromptAuthor.person_id == person)
    )
    return list(await session.scalars(query))


async def forget_personas(session: AsyncSession, person: int) -> None:
    """Erase the personas that a person wrote or rewrote, with their greetings."""
    for row in await _settings(session):
        left = {name: text for name, text in row.value["is"].items() if str(person) not in text.get("authors", {})}
        if not left:
            await session.delete(row)
        elif len(left) < len(row.value["is"]):
            row.value = {"is": left}
    mine = select(SystemPromptAuthor.prompt_id).where(SystemPromptAuthor.person_id == person)
    prompts = (await session.scalars(select(SystemPrompt).where(SystemPrompt.id.in_(mine)))).all()
    await session.execute(delete(SystemPromptAuthor).where(SystemPromptAuthor.person_id == person))
    for prompt in prompts:
        blank(prompt)


async def remove_unused(session: AsyncSession, older_than: datetime) -> bool:
    """Remove the texts of personas that were replaced before any answer was given under them.

    Texts that are younger than `older_than` stay: an answer may be under way. Returns whether there were any.
    """
    current = {persona["system_prompt"] for row in await _settings(session) for persona in row.value["is"].values()}
    query = select(SystemPrompt).where(
        SystemPrompt.written_at < older_than, ~exists().where(Generation.system_prompt_id == SystemPrompt.id)
    )
    unused = [prompt for prompt in await session.scalars(query) if prompt.text not in current]
    for prompt in unused:
        await session.execute(delete(SystemPromptAuthor).where(SystemPromptAuthor.prompt_id == prompt.id))
        await session.delete(prompt)
    return bool(unused)


def blank(prompt: SystemPrompt) -> None:
    """Erase a system prompt's text. Whoever uses the same text later gets a new row."""
    prompt.text, prompt.sha256 = "", secrets.token_hex(32)


async def _settings(session: AsyncSession) -> list[Setting]:
    return list(await session.scalars(select(Setting).where(Setting.key == PERSONAS_HERE)))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _bare(text: str) -> str:
    # `data.chat.harmless` adds spaces and removes control characters before a text is sent to the model.
    return "".join(character for character in text if character.isprintable() and not character.isspace())
