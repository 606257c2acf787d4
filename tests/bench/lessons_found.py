"""For which questions is a lesson found? The questions of `tests.bench.lessons`, without a model that answers.

    python -m tests.bench.lessons_found [--embeddings URL]

Ten corrections are taught in a home of its own. Then it is counted for how many of the 50 other wordings the right
lesson is found, and for how many of the 50 other questions any.
"""

import argparse
import asyncio
import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import bot.embeddings
from bot.embeddings import Embeddings
from data.lesson_vectors import AT_ONCE, SHIPPED, Meanings
from data.store import Store
from tests.bench.lessons_asked import CORRECTED, OTHERS
from tests.data.talk import Talk
from tests.data.taught import corrected


async def measure(home: Path, url: str | None) -> None:
    """Teach, search and print."""
    store = await Store.open(home)
    talk = await Talk.begin(store)
    person = await talk.person()
    for case in CORRECTED:
        await corrected(talk, person, case.right, case.question)
    endpoint = Embeddings(url, model=None, api_key=None) if url else None
    if endpoint is not None:
        store.lessons.meanings = Meanings(endpoint.vectors)
    took = []

    async def found(question: str) -> list[str]:
        began = time.perf_counter()
        lessons = await store.lessons.like(question, talk.conversation, person)
        took.append(time.perf_counter() - began)
        return [lesson.question for lesson in lessons]

    for _ in range(2 + (SHIPPED + len(CORRECTED)) // AT_ONCE):  # until every vector is there
        await found("Hello!")
    took.clear()
    right = 0
    for case in CORRECTED:
        for wording in case.paraphrases:
            given = await found(wording)
            right += given[:1] == [case.question]
            if given[:1] != [case.question]:
                print(f"not found: {wording}")
    wrong = [question for question in OTHERS if await found(question)]
    print(*(f"given a lesson: {question}" for question in wrong), sep="\n")
    print(f"The right lesson comes first for {right} of {sum(len(case.paraphrases) for case in CORRECTED)} wordings,")
    print(f"and {len(wrong)} of {len(OTHERS)} other questions are given one. Median of a search:", end=" ")
    print(f"{statistics.median(took):.3f} s.")
    if endpoint is not None:
        await endpoint.close()
    await store.close()


def main() -> None:
    """Read the arguments and measure."""
    flags = argparse.ArgumentParser(prog="python -m tests.bench.lessons_found", description=__doc__)
    flags.add_argument("--embeddings", metavar="URL", help="an embedding endpoint to find lessons by, too")
    arguments = flags.parse_args()
    bot.embeddings.SECONDS = 60.0  # what is found does not depend on how busy this machine is
    with TemporaryDirectory() as folder:
        asyncio.run(measure(Path(folder), arguments.embeddings))


if __name__ == "__main__":
    main()
