"""Fills a home with many ratings, answers, people and imported rows, fast: plain SQL, the same for the same seed.

    python -m tests.bench.store_fill /tmp/store-100000 --ratings 100000 --imported 100000

What it makes is like a busy server: two questions a conversation, three of ten turns with answers of two releases
that people compare, votes by one to three people, a correction of one answer in ten, some votes taken back, one
question in twenty a popular one ("hello"), one rater in ten who votes at random, and one person in twenty who never
agreed to anything. Imported rows are demonstrations, preferences and labelled completions; one in fifty nearly
repeats another.
"""

import argparse
import asyncio
import contextlib
import hashlib
import random
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from data.bases import DEFAULT_BASE
from data.chat import Message, load_template, rendered_hash
from data.consent import CONSENT_VERSION
from data.database import NAME
from data.home import installation_key, keyed_hash
from data.imported import imported_id
from data.release_manifest import ReleaseManifest
from data.releases import BASE_RELEASE, Releases
from data.store import Store

SYSTEM = "You are a helpful assistant."
SERVER = "1"  # the platform's id of the server on which most people talk
CHAMPION, CANDIDATE = BASE_RELEASE, 1  # a release is on trial
PLATFORM = "discord"
BATCH = 20_000
_BEGAN = datetime.now(UTC) - timedelta(days=60)
_POPULAR = 20  # questions that many people ask
_FIRST, _VOWELS = "bcdfghjklmnprstvwxz", "aeiou"
_SYLLABLES = [a + b for a in _FIRST for b in _VOWELS][::4]
WORDS = [a + b + c for a in _SYLLABLES for b in _SYLLABLES for c in ("", "n", "r", "st", "la")]


@dataclass(frozen=True, slots=True)
class Size:
    """How much a home holds."""

    ratings: int
    imported: int
    seed: int = 0

    @property
    def people(self) -> int:
        """How many people talk and rate."""
        return max(20, self.ratings // 100)


class Filler:
    """Rows for the tables of one home, with numbers that follow each other, written in batches."""

    def __init__(self, connection: sqlite3.Connection, key: bytes, size: Size) -> None:
        self.connection, self.key, self.size = connection, key, size
        self.random = random.Random(size.seed)
        self.template = load_template("chatml")
        self.next: dict[str, int] = defaultdict(lambda: 1)
        self.waiting: dict[tuple[str, tuple[str, ...]], list[tuple[Any, ...]]] = defaultdict(list)
        self.held = 0
        self.popular = [self.text(2, 4) for _ in range(_POPULAR)]
        self.seconds = 0

    def put(self, table: str, **row: Any) -> int:
        """A row for a table; it gets the next number as its id where it has none. Returns that number."""
        number = self.next[table]
        self.next[table] += 1
        self.waiting[table, tuple(row)].append(tuple(row.values()))
        self.held += 1
        if self.held >= BATCH:
            self.flush()
        return number

    def flush(self) -> None:
        """Write what waits."""
        for (table, columns), rows in self.waiting.items():
            places = ",".join("?" * len(columns))
            self.connection.executemany(f"INSERT INTO {table} ({','.join(columns)}) VALUES ({places})", rows)
        self.waiting.clear()
        self.held = 0

    def text(self, least: int, most: int) -> str:
        """Some words in a random order."""
        return " ".join(self.random.choices(WORDS, k=self.random.randint(least, most)))

    def time(self) -> str:
        """A point in time after the last one."""
        self.seconds += 1
        share = self.seconds / (4 * self.size.ratings + 1000)
        return _at(_BEGAN + timedelta(days=min(share, 1.0) * 59.9))

    def person(self, number: int) -> None:
        """A person; one of twenty never agreed."""
        platform_id = f"p{number}"
        hashed = keyed_hash(self.key, "person", PLATFORM, platform_id)
        self.put(
            "people", id=number, pseudonym=platform_id, platform=PLATFORM, id_hash=hashed, created_at=_at(_BEGAN)
        )
        if number % 20:
            self.put(
                "consents", person_id=number, granted=1, text_version=CONSENT_VERSION, at=_at(_BEGAN), outside_judge=0
            )

    def version(self, text: str, *, message: int | None = None, author: int | None = None, at: str) -> int:
        """A stored text."""
        number = self.next["message_versions"]
        return self.put("message_versions", id=number, message_id=message, author_id=author, text=text, created_at=at)

    def said(
        self, conversation: int, parent: int | None, role: str, author: int | None, text: str
    ) -> tuple[int, int]:
        """A message with its only version and its id on the platform; returns the numbers of both."""
        at, number = self.time(), self.next["messages"]
        place = {"conversation_id": conversation, "parent_id": parent, "role": role, "author_id": author}
        self.put("messages", id=number, created_at=at, **place)
        self.put("platform_messages", platform=PLATFORM, platform_id=f"m{number}", message_id=number)
        return number, self.version(text, message=number, author=author, at=at)

    def answers(self, conversation: int, context: list[tuple[int, str, str]], parent: int) -> list[tuple[int, int]]:
        """One answer, or one of each release; returns their numbers as generations and as versions."""
        messages = [Message(role=role, content=text) for _, role, text in context]
        rendered = rendered_hash([Message(role="system", content=SYSTEM), *messages], self.template)
        both = self.random.random() < 0.3
        made = []
        for release in (CHAMPION, CANDIDATE) if both else (CHAMPION,):
            message, version = self.said(conversation, parent, "assistant", None, self.text(8, 30))
            number = self.next["generations"]
            self.put(
                "generations",
                id=number,
                conversation_id=conversation,
                message_id=message,
                version_id=version,
                system_prompt_id=1,
                rendered_sha256=rendered,
                release=release,
                sampling="{}",
                seed=1,
                finish_reason="stop",
                prompt_tokens=20,
                completion_tokens=40,
                first_token_seconds=0.1,
                platform=PLATFORM,
                created_at=self.time(),
            )
            for position, (each, _, _) in enumerate(context):
                self.put("generation_context", generation_id=number, position=position, version_id=each)
            made.append((number, version))
        return made

    def rate(
        self,
        rater: int,
        kind: str,
        generation: int,
        *,
        other: int | None = None,
        value: str | None = None,
        text: int | None = None,
    ) -> None:
        """A rating."""
        number = self.next["ratings"]
        self.put(
            "ratings",
            id=number,
            source_id=f"s{number}",
            rater_id=rater,
            kind=kind,
            generation_id=generation,
            other_id=other,
            value=value,
            text_version_id=text,
            platform=PLATFORM,
            created_at=self.time(),
        )

    def judge(self, made: list[tuple[int, int]]) -> None:
        """The ratings of a question's answers, by some people."""
        draw = self.random
        raters = draw.sample(range(1, self.size.people + 1), draw.randint(1, 3))
        number, good = made[0][0], draw.random() < 0.6
        for rater in raters:
            right = draw.random() < (0.5 if rater % 10 == 0 else 0.9)
            if len(made) == 2:
                value = draw.choices(("a" if good == right else "b", "tie", "both_bad"), (8, 1, 1))[0]
                self.rate(rater, "comparison", number, other=made[1][0], value=value)
            else:
                self.rate(rater, "vote", number, value="up" if good == right else "down")
        if draw.random() < 0.1:
            text = self.version(self.text(8, 30), author=raters[0], at=self.time())
            self.rate(raters[0], "correction", number, text=text)
        if len(made) == 1 and draw.random() < 0.02:
            self.rate(raters[0], "retraction", number)

    def talk(self, server: int) -> None:
        """A conversation of two questions by one person, answered and rated."""
        author = self.random.randint(1, self.size.people)
        number = self.next["conversations"]
        key = f"channel{number % 500}:m{number}"
        place = {"platform": PLATFORM, "persona": "assistant", "language": "en", "server_id": server}
        self.put("conversations", id=number, key=key, created_at=self.time(), **place)
        context: list[tuple[int, str, str]] = []
        parent = None
        for turn in range(2):
            popular = turn == 0 and self.random.random() < 0.1
            question = self.random.choice(self.popular) if popular else self.text(8, 14)
            message, version = self.said(number, parent, "user", author, question)
            context.append((version, "user", question))
            made = self.answers(number, context, message)
            self.judge(made)
            parent = self.next["messages"] - 1
            context.append((made[-1][1], "assistant", ""))

    def imported(self, number: int) -> None:
        """An imported row."""
        kind = ("demonstration", "preference", "labelled")[number % 3]
        row: dict[str, Any] = {"label": number % 2 if kind == "labelled" else None, "consented": 1}
        self.put(
            "imported_rows",
            id=number,
            source_id=imported_id(kind, f"row-{number}"),
            kind=kind,
            weight=1.0,
            platform="import",
            persona="assistant",
            language="en",
            source="bench",
            created_at=_at(_BEGAN),
            **row,
        )
        question = self.text(8, 14) if number % 50 else f"{self.text(1, 1)} {self._last}"
        self._last = question
        parts = {
            "demonstration": [("messages", 0, "user", question), ("messages", 1, "assistant", self.text(8, 30))],
            "preference": [
                ("prompt", 0, "user", question),
                ("chosen", 0, "assistant", self.text(8, 30)),
                ("rejected", 0, "assistant", self.text(8, 30)),
            ],
            "labelled": [("prompt", 0, "user", question), ("completion", 0, "assistant", self.text(8, 30))],
        }[kind]
        for part, position, role, text in parts:
            version = self.version(text, at=_at(_BEGAN))
            place = {"row_id": number, "part": part, "position": position, "role": role}
            self.put("imported_texts", version_id=version, **place)

    _last = "a question that is nearly repeated by the first row"


def fill(home: Path, size: Size) -> None:
    """Make a home of this size, or leave the one that is there and complete."""
    done = home / "filled"
    if done.is_file():
        return
    asyncio.run(_made(home))
    with _open(home) as connection:
        filler = Filler(connection, installation_key(home), size)
        connection.execute("UPDATE consent_texts SET since = ?", (_at(_BEGAN - timedelta(days=1)),))
        connection.execute(
            "INSERT INTO system_prompts (id, sha256, text) VALUES (1, ?, ?)",
            (hashlib.sha256(SYSTEM.encode()).hexdigest(), SYSTEM),
        )
        server = connection.execute("SELECT id FROM servers").fetchone()[0]
        for number in range(1, size.people + 1):
            filler.person(number)
        while filler.next["ratings"] <= size.ratings:
            filler.talk(server)
        for number in range(1, size.imported + 1):
            filler.imported(number)
        filler.flush()
        connection.commit()
    done.write_text(f"{size}\n", encoding="utf-8")


async def _made(home: Path) -> None:
    store = await Store.open(home)
    await store.set_may_teach(PLATFORM, SERVER, True)
    await store.close()
    releases = Releases(home)
    if not releases.all():
        releases.create(lambda _: ReleaseManifest(base=DEFAULT_BASE))
    releases.put_on_trial(CANDIDATE)


@contextlib.contextmanager
def _open(home: Path) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(home / NAME)) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("PRAGMA cache_size=-200000")
        yield connection


def _at(when: datetime) -> str:
    return when.strftime("%Y-%m-%d %H:%M:%S.%f")


def main() -> int:
    """Fill a home."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path)
    parser.add_argument("--ratings", type=int, default=10_000)
    parser.add_argument("--imported", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    fill(options.home, Size(options.ratings, options.imported, options.seed))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
