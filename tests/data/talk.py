"""Short names for what people do, so that a test reads like what happened."""

import itertools
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from data.chat import Message, rendered_hash
from data.store import NewGeneration, NewRating, Store, StoredGeneration, StoredMessage

ROOT = Path(__file__).parents[2]
SYSTEM = "You are helpful."
_numbers = itertools.count()


def generated(conversation: int, parent: int | None, context: tuple[int, ...], **more: Any) -> NewGeneration:
    """An answer of the model to a message, with plain values for everything that `more` does not give."""
    values: dict[str, Any] = {
        "system_prompt": SYSTEM,
        "rendered_sha256": "0" * 64,
        "text": "An answer.",
        "release": 0,
        "sampling": {"temperature": 0.7},
        "seed": 1,
        "finish_reason": "stop",
        "prompt_tokens": 5,
        "completion_tokens": 3,
        "first_token_seconds": 0.1,
        "platform": "terminal",
    }
    return NewGeneration(conversation=conversation, parent=parent, context=context, **{**values, **more})


class Talk:
    """A conversation on one platform, and the people in it."""

    def __init__(self, store: Store, platform: str, conversation: int) -> None:
        self.store, self.platform, self.conversation = store, platform, conversation
        self.rendered: dict[int, str] = {}  # what an answer's model was given, as the store got it

    @classmethod
    async def begin(cls, store: Store, platform: str = "terminal", key: str = "first", **more: Any) -> "Talk":
        """Begin a conversation."""
        found = await store.conversation(platform, key, **{"persona": "tutor", "language": "en", **more})
        return cls(store, platform, found)

    async def person(self, name: str = "ada", *, agrees: bool | None = True) -> int:
        """A person on this platform, with their answer to the consent question unless `agrees` is None."""
        person = await self.store.person(self.platform, name)
        if agrees is not None:
            await self.store.set_consent(person, agrees)
        return person

    async def say(
        self, author: int | None, text: str, parent: int | None = None, platform_id: str | None = None
    ) -> StoredMessage:
        """A person says something."""
        return await self.store.add_message(
            self.conversation, "user", text, author=author, parent=parent, platform_id=platform_id
        )

    async def answer(
        self, said: StoredMessage, text: str = "An answer.", finish: str = "stop", **more: Any
    ) -> StoredGeneration:
        """The model answers, given the whole path down to what was said."""
        path = await self.store.path(said.message)
        messages = [Message(role="system", content=SYSTEM)]
        messages += [Message(role=one.role, content=one.text) for one in path]
        values: dict[str, Any] = {
            "context": tuple(one.version for one in path),
            "rendered_sha256": rendered_hash(messages, ""),
            "text": text,
            "finish_reason": finish,
            "platform": self.platform,
        }
        new = generated(self.conversation, said.message, **{**values, **more})
        made = await self.store.add_generation(new)
        self.rendered[made.generation] = new.rendered_sha256
        return made

    async def ask(self, author: int | None, question: str, *answers: str) -> list[StoredGeneration]:
        """A question, and an answer for each text in `answers`."""
        said = await self.say(author, question)
        return [await self.answer(said, text) for text in answers]

    async def rate(self, rater: int, kind: str, generation: StoredGeneration, **more: Any) -> bool:
        """A person rates an answer."""
        other = more.pop("other", None)
        values = {"source_id": f"event-{next(_numbers)}", "platform": self.platform, **more}
        return await self.store.rate(
            NewRating(
                rater=rater,
                kind=kind,
                generation=generation.generation,
                other=other.generation if other else None,
                **values,
            )
        )


def again(talk: Talk, answer: StoredGeneration, text: str) -> NewGeneration:
    """Another answer to the same first question, for a test that stores many in one transaction."""
    more = {"rendered_sha256": talk.rendered[answer.generation], "text": text, "platform": talk.platform}
    return generated(talk.conversation, answer.parent, (answer.version - 1,), **more)


def script(house: Path, *command: str, **environment: str) -> "subprocess.Popen[str]":
    """Start this Python in the project's folder, with `house` as its installation."""
    surroundings = {**os.environ, "PARLEY_HOME": str(house), "PYTHONPATH": str(ROOT), "COLUMNS": "200", **environment}
    return subprocess.Popen(
        [sys.executable, *command],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        env=surroundings,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
