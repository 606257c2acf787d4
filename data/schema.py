"""The tables. Texts are only in `message_versions`; everything else refers to them, so erasure reaches everything."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import JSON, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy import text as sql_text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from data.times import UtcDateTime, now


class Base(DeclarativeBase):
    """The registry of the tables below."""

    type_annotation_map: ClassVar[dict[Any, Any]] = {datetime: UtcDateTime, dict[str, Any]: JSON}


class Person(Base):
    """Somebody who wrote or rated: a random pseudonym, and a keyed hash by which their platform id is recognised."""

    __tablename__ = "people"
    __table_args__ = (UniqueConstraint("platform", "id_hash"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    pseudonym: Mapped[str] = mapped_column(String(40), unique=True)
    platform: Mapped[str] = mapped_column(String(20))
    id_hash: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(default=now)


class Standing(Base):
    """What an operator decided about a person's ratings: to vouch for them, or to take them out of what is trained.

    Each is null when it does not hold, else the time from which it does.
    """

    __tablename__ = "standings"

    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"), primary_key=True)
    vouched_at: Mapped[datetime | None]
    voided_at: Mapped[datetime | None]


class Consent(Base):
    """One answer to the question whether Parley may train on what a person says from then on. Append-only."""

    __tablename__ = "consents"

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"), index=True)
    granted: Mapped[bool]
    text_version: Mapped[str] = mapped_column(String(40))
    at: Mapped[datetime] = mapped_column(default=now)
    outside_judge: Mapped[bool | None]  # whether an outside judge may read it too; null means no


class ConsentText(Base):
    """When a version of the consent text came into use here. Versions that only differ in wording have no row."""

    __tablename__ = "consent_texts"

    version: Mapped[str] = mapped_column(String(40), primary_key=True)
    since: Mapped[datetime] = mapped_column(default=now)


class Server(Base):
    """A Discord server. Its manager chooses whether its members may teach; at first they may not."""

    __tablename__ = "servers"
    __table_args__ = (UniqueConstraint("platform", "platform_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    platform: Mapped[str] = mapped_column(String(20))
    platform_id: Mapped[str] = mapped_column(String(40))
    may_teach: Mapped[bool] = mapped_column(default=False)
    joined_at: Mapped[datetime] = mapped_column(default=now)
    left_at: Mapped[datetime | None]


class Setting(Base):
    """One setting of one scope (server, channel or conversation); the most specific scope wins."""

    __tablename__ = "settings"
    __table_args__ = (UniqueConstraint("scope", "scope_id", "key"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    scope: Mapped[str] = mapped_column(String(20))
    scope_id: Mapped[str] = mapped_column(String(40))
    key: Mapped[str] = mapped_column(String(60))
    value: Mapped[dict[str, Any]]
    at: Mapped[datetime] = mapped_column(default=now)
    server: Mapped[str | None] = mapped_column(String(40))  # the platform's id of the server that a channel is on


class Conversation(Base):
    """A tree of messages on one platform."""

    __tablename__ = "conversations"
    __table_args__ = (UniqueConstraint("platform", "key"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    platform: Mapped[str] = mapped_column(String(20))
    key: Mapped[str] = mapped_column(String(80))
    persona: Mapped[str] = mapped_column(String(40))
    language: Mapped[str] = mapped_column(String(10))
    server_id: Mapped[int | None] = mapped_column(ForeignKey("servers.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=now)


class MessageRow(Base):
    """One node in a conversation's tree; its text is in its newest version."""

    __tablename__ = "messages"

    id: Mapped[int] = mapped_column(primary_key=True)
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversations.id"), index=True)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("messages.id"), index=True)
    role: Mapped[str] = mapped_column(String(20))
    author_id: Mapped[int | None] = mapped_column(ForeignKey("people.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=now)


class PlatformMessage(Base):
    """A message on a platform and the message of ours that it shows; a long answer is shown by several."""

    __tablename__ = "platform_messages"

    platform: Mapped[str] = mapped_column(String(20), primary_key=True)
    platform_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    message_id: Mapped[int] = mapped_column(ForeignKey("messages.id"), index=True)


class OpenAnswer(Base):
    """An answer that is being shown, from before its first message until it is complete. It holds no text.

    `key` identifies the answer on its platform. `question_id` is the platform's id of its question, `message_id` that
    of its newest message, the one with the stop button; it is null until the platform has returned that id.
    """

    __tablename__ = "open_answers"

    platform: Mapped[str] = mapped_column(String(20), primary_key=True)
    key: Mapped[str] = mapped_column(String(40), primary_key=True)
    channel_id: Mapped[str] = mapped_column(String(40))
    question_id: Mapped[str] = mapped_column(String(40))
    message_id: Mapped[str | None] = mapped_column(String(40))
    opened_at: Mapped[datetime] = mapped_column(default=now)


class MessageVersion(Base):
    """A text, stored once, with its author. `text` is null after erasure; the row stays, so references hold."""

    __tablename__ = "message_versions"
    # Finds the old texts that are still kept.
    __table_args__ = (
        Index("ix_message_versions_kept", "created_at", "author_id", sqlite_where=sql_text("text IS NOT NULL")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    message_id: Mapped[int | None] = mapped_column(ForeignKey("messages.id"), index=True)
    author_id: Mapped[int | None] = mapped_column(ForeignKey("people.id"), index=True)
    text: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    erased_at: Mapped[datetime | None]


class SystemPrompt(Base):
    """The text of a system prompt as it was sent to the model; each text once.

    `server` is the platform's id of the server whose managers wrote it at `written_at`; a shipped text has none. The
    same text of two servers, or of other authors, has a row for each. `sha256` makes rows unique.
    """

    __tablename__ = "system_prompts"

    id: Mapped[int] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    text: Mapped[str]
    server: Mapped[str | None] = mapped_column(String(40))
    written_at: Mapped[datetime | None]


class SystemPromptAuthor(Base):
    """A person who wrote a part of a system prompt, and when."""

    __tablename__ = "system_prompt_authors"

    prompt_id: Mapped[int] = mapped_column(ForeignKey("system_prompts.id"), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"), primary_key=True, index=True)
    at: Mapped[datetime]


class Generation(Base):
    """One answer of the model, with everything that made it.

    `rendered_sha256` is a keyed hash of what the model was given: answers with the same one have the same prompt. It
    is empty once a text in the prompt or the answer was erased, and two empty ones say nothing about each other.
    `opening` is the fingerprint of the text that opens the prompt (see `data.openings`), null once one was erased.
    `model` says which model answered where the release's number does not: as release 0, which is another base after
    `python -m alignment.bases switch`, with the base's mark (`data.home_base`). It is null for numbered releases, and
    for answers of release 0 from before there was this column, until the home is switched to another base.
    """

    __tablename__ = "generations"

    id: Mapped[int] = mapped_column(primary_key=True)
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversations.id"), index=True)
    message_id: Mapped[int] = mapped_column(ForeignKey("messages.id"), unique=True)
    version_id: Mapped[int] = mapped_column(ForeignKey("message_versions.id"), unique=True)
    system_prompt_id: Mapped[int] = mapped_column(ForeignKey("system_prompts.id"), index=True)
    rendered_sha256: Mapped[str] = mapped_column(String(64), index=True)
    release: Mapped[int]
    sampling: Mapped[dict[str, Any]]
    seed: Mapped[int]
    finish_reason: Mapped[str] = mapped_column(String(20))
    prompt_tokens: Mapped[int | None]
    completion_tokens: Mapped[int | None]
    first_token_seconds: Mapped[float | None]
    platform: Mapped[str] = mapped_column(String(20))
    created_at: Mapped[datetime] = mapped_column(default=now)
    opening: Mapped[str | None] = mapped_column(String(64), index=True)
    model: Mapped[str | None] = mapped_column(String(120))


class GenerationContext(Base):
    """The message versions that a generation was given after its system prompt, in order."""

    __tablename__ = "generation_context"
    __table_args__ = (Index("ix_generation_context_version_id", "version_id"),)

    generation_id: Mapped[int] = mapped_column(ForeignKey("generations.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    version_id: Mapped[int] = mapped_column(ForeignKey("message_versions.id"))


class Rating(Base):
    """One rating. Append-only; the current ratings are derived from all of them, in order."""

    __tablename__ = "ratings"
    # The first holds all that tells which ratings are current, so that they are counted without reading the table.
    __table_args__ = (
        Index("ix_ratings_current", "generation_id", "rater_id", "kind", "other_id", "value"),
        Index("ix_ratings_void", "generation_id", sqlite_where=sql_text("kind = 'void'")),
        Index("ix_ratings_text_version_id", "text_version_id", sqlite_where=sql_text("text_version_id IS NOT NULL")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    source_id: Mapped[str] = mapped_column(String(120), unique=True)
    rater_id: Mapped[int] = mapped_column(ForeignKey("people.id"), index=True)
    kind: Mapped[str] = mapped_column(String(20))
    generation_id: Mapped[int] = mapped_column(ForeignKey("generations.id"))
    other_id: Mapped[int | None] = mapped_column(ForeignKey("generations.id"), index=True)
    value: Mapped[str | None] = mapped_column(String(20))
    text_version_id: Mapped[int | None] = mapped_column(ForeignKey("message_versions.id"))
    platform: Mapped[str] = mapped_column(String(20))
    created_at: Mapped[datetime] = mapped_column(default=now)


class Lesson(Base):
    """A question and its right answer, which stand in the prompts of similar questions (see `data.lessons`).

    Both are texts that are stored anyway, so their erasure reaches the lesson: what was asked, and the correction
    `rating_id` of the answer; or the texts of a FAQ, which has an `entry` (its file and place there) in place of a
    rating and an author. `scope` is one of own, declined (own, and other people do not change that), server,
    everywhere and removed. `borne_out` says that other people, not a manager, made it hold for its server.
    `everybody_sees` says that all members of the server could see the place where it was taught. A lesson without a
    platform or a persona holds on all of them. When its author is forgotten, the row stays and says nothing.
    """

    __tablename__ = "lessons"
    __table_args__ = (
        Index("ix_lessons_everywhere", "id", sqlite_where=sql_text("scope = 'everywhere'")),
        Index("ix_lessons_borne_out", "borne_out", sqlite_where=sql_text("borne_out = 1")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    rating_id: Mapped[int | None] = mapped_column(ForeignKey("ratings.id"), unique=True)
    question_id: Mapped[int] = mapped_column(ForeignKey("message_versions.id"), index=True)
    answer_id: Mapped[int] = mapped_column(ForeignKey("message_versions.id"), index=True)
    author_id: Mapped[int | None] = mapped_column(ForeignKey("people.id"), index=True)
    platform: Mapped[str | None] = mapped_column(String(20))
    server_id: Mapped[int | None] = mapped_column(ForeignKey("servers.id"), index=True)
    persona: Mapped[str | None] = mapped_column(String(40))
    scope: Mapped[str] = mapped_column(String(20))
    borne_out: Mapped[bool] = mapped_column(default=False)
    everybody_sees: Mapped[bool] = mapped_column(default=False)
    entry: Mapped[str | None] = mapped_column(String(120))
    created_at: Mapped[datetime] = mapped_column(default=now)


class GenerationLesson(Base):
    """The lessons that a generation was given, in order, just before the message that it answers."""

    __tablename__ = "generation_lessons"

    generation_id: Mapped[int] = mapped_column(ForeignKey("generations.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    lesson_id: Mapped[int] = mapped_column(ForeignKey("lessons.id"), index=True)


class ImportedRow(Base):
    """A row that was imported from a file. `source_id` makes a second import of the same row do nothing.

    `opening` is the fingerprint of the text that opens it (see `data.openings`); null where that was erased.
    """

    __tablename__ = "imported_rows"

    id: Mapped[int] = mapped_column(primary_key=True)
    source_id: Mapped[str] = mapped_column(String(120), unique=True)
    kind: Mapped[str] = mapped_column(String(20))
    label: Mapped[bool | None]
    persona: Mapped[str | None] = mapped_column(String(40))
    language: Mapped[str | None] = mapped_column(String(10))
    source: Mapped[str | None] = mapped_column(String(80))
    weight: Mapped[float]
    margin: Mapped[float | None]  # by how much the chosen answer is better, in a graded preference
    outside_judge: Mapped[bool | None]  # what the row itself says about showing it to an outside judge
    platform: Mapped[str] = mapped_column(String(20))
    consented: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(default=now)
    rater: Mapped[str | None] = mapped_column(String(80), index=True)  # whose rating it was, if the row says so
    opening: Mapped[str | None] = mapped_column(String(64), index=True)


class ImportedText(Base):
    """One message of an imported row: its part of the row, its position there, and its text."""

    __tablename__ = "imported_texts"
    __table_args__ = (Index("ix_imported_texts_version_id", "version_id"),)

    row_id: Mapped[int] = mapped_column(ForeignKey("imported_rows.id"), primary_key=True)
    part: Mapped[str] = mapped_column(String(20), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    role: Mapped[str] = mapped_column(String(20))
    version_id: Mapped[int] = mapped_column(ForeignKey("message_versions.id"))


class FoldGroup(Base):
    """The fold of a group of near-duplicate conversations: assigned once, then permanent."""

    __tablename__ = "folds"

    group_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    fold: Mapped[str] = mapped_column(String(20))
    assigned_at: Mapped[datetime] = mapped_column(default=now)


class FoldMember(Base):
    """The group that a prompt or conversation (a keyed fingerprint) belongs to; `signature` finds near-duplicates."""

    __tablename__ = "fold_members"

    fingerprint: Mapped[str] = mapped_column(String(64), primary_key=True)
    group_id: Mapped[str] = mapped_column(ForeignKey("folds.group_id"), index=True)
    signature: Mapped[bytes]


class ReleaseRow(Base):
    """A release that a round wrote, and when it became the champion."""

    __tablename__ = "releases"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    base: Mapped[str]
    manifest_sha256: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(default=now)
    promoted_at: Mapped[datetime | None]


class Tombstone(Base):
    """The id of a row in which a text was erased, so that an older export does not bring it back.

    It is a keyed hash. There is no time and no order: they would say which rows went together, and when. Earlier
    versions kept keyed hashes of texts, of the kind `text`.
    """

    __tablename__ = "tombstones"
    __table_args__ = ({"sqlite_with_rowid": False},)

    ref_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    kind: Mapped[str] = mapped_column(String(20), primary_key=True)
    reason: Mapped[str] = mapped_column(String(20), primary_key=True)


class KeyPrint(Base):
    """A fingerprint of the installation's key, so that another key is noticed. There is one row."""

    __tablename__ = "key_print"

    fingerprint: Mapped[str] = mapped_column(String(64), primary_key=True)


class ApiKeyRow(Base):
    """A key by which a program reaches the API; of its secret only a hash is stored (see `data.api_keys`).

    `consent_text` is the version of the consent text that the program shows its users; null where it may not say that
    somebody agreed. Limits are answers per hour, 0 for none.
    """

    __tablename__ = "api_keys"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40), unique=True)
    secret_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    platform: Mapped[str] = mapped_column(String(20))
    may_chat: Mapped[bool]
    may_feedback: Mapped[bool]
    may_rows: Mapped[bool]
    consent_text: Mapped[str | None] = mapped_column(String(40))
    hourly: Mapped[int]
    hourly_per_user: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(default=now)
    revoked_at: Mapped[datetime | None]


class History(Base):
    """What a client said so far, as a keyed hash, and the message with which it ends (see `data.histories`)."""

    __tablename__ = "histories"

    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    message_id: Mapped[int] = mapped_column(ForeignKey("messages.id"), index=True)


class AuditRow(Base):
    """One action of a manager or an operator, on a server or for the whole installation. Append-only.

    `what` holds names, numbers and ids of places, never texts that somebody wrote.
    """

    __tablename__ = "deeds"

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"), index=True)
    server_id: Mapped[int | None] = mapped_column(ForeignKey("servers.id"), index=True)
    deed: Mapped[str] = mapped_column(String(40))
    what: Mapped[dict[str, Any]]
    at: Mapped[datetime] = mapped_column(default=now)
