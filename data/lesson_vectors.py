"""Finds the lessons whose question means the same as a new one, by an embedding model that the operator runs.

Models differ in how similar they find any two texts. So the mean vector of shipped questions is subtracted first, and
one limit serves (`LIKE`; docs/lessons.md says what it was chosen on). Vectors are in memory only, and are overwritten
when their lesson was erased or removed.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from data.lesson_search import shipped_questions

LIKE = 0.7  # what the cosine must be at least, after the mean is subtracted
SHIPPED = 64  # questions whose mean is subtracted
AT_ONCE = 16  # texts of a request beside the question; the others are asked for with the next questions
_LONGEST = 2000  # characters of a question that are looked at
_MOST = 8  # lessons that a search returns

Vector = npt.NDArray[np.float32]
# The vectors of texts, in their order; None while the model does not answer.
Embed = Callable[[Sequence[str]], Awaitable[list[list[float]] | None]]


class Meanings:
    """Questions as vectors, by the numbers of their lessons. `embed` asks the model, and takes as long as it may."""

    def __init__(self, embed: Embed) -> None:
        self._embed = embed
        self._vectors: dict[int, Vector] = {}
        self._shipped: list[Vector] = []
        self._mean: Vector | None = None

    def missing(self, lessons: Collection[int]) -> list[int]:
        """The newest of these lessons that have no vector yet, as many as one request takes."""
        return sorted(set(lessons) - self._vectors.keys(), reverse=True)[:AT_ONCE]

    def held(self) -> list[int]:
        """The lessons that have a vector."""
        return list(self._vectors)

    def drop(self, lessons: Collection[int]) -> None:
        """Forget the vectors of lessons; they are overwritten."""
        for number in lessons:
            if (vector := self._vectors.pop(number, None)) is not None:
                vector.fill(0)

    async def nearest(self, question: str, among: Collection[int], new: Mapping[int, str]) -> list[int]:
        """The lessons of `among` that mean what a question means, the most similar first.

        `new` are the questions of those that have no vector yet. A lesson is found once it and the
        shipped questions have their vectors. While the model does not answer, nothing is found.
        """
        known = len(self._shipped)
        shipped = _shipped()[known:][:AT_ONCE]
        texts = [question, *(shipped or new.values())]
        found = await self._embed([text[:_LONGEST] for text in texts])
        if found is None:
            return []
        asked, *vectors = [np.array(each, dtype=np.float32) for each in found]
        if shipped:
            if len(self._shipped) == known:  # another question may have fetched the same ones
                self._shipped += vectors
            if len(self._shipped) == len(_shipped()):
                self._mean = np.mean(self._shipped, axis=0)
        else:
            self._vectors.update(zip(new, vectors, strict=True))
        return self._like(asked, among)

    def _like(self, asked: Vector, among: Collection[int]) -> list[int]:
        if self._mean is None or len(asked) != len(self._mean):
            return []
        here = {number: self._vectors[number] for number in among if number in self._vectors}
        known = [number for number, vector in here.items() if len(vector) == len(asked)]
        if not known:
            return []
        rows = np.stack([here[number] for number in known]) - self._mean
        asked = asked - self._mean
        lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(asked)
        cosines = rows @ asked / np.maximum(lengths, np.finfo(np.float32).tiny)
        order = sorted(range(len(known)), key=lambda at: (-cosines[at], -known[at]))
        return [known[at] for at in order if cosines[at] >= LIKE][:_MOST]


def _shipped() -> tuple[str, ...]:
    """Shipped questions, of all kinds and languages."""
    every = list(dict.fromkeys(shipped_questions()))
    return tuple(every[:: max(1, len(every) // SHIPPED)][:SHIPPED])
