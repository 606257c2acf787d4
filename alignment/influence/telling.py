"""Tells what an answer owes to whom. People's words are shown on the operator's own terminal only."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from alignment.influence.asked import Asked
from alignment.influence.learnt import ERASED, OTHERS, Learnt, Owed
from alignment.influence.named import Given
from data.row import Row

_EXCERPT = 70  # characters of a question, and of what was given for it


def tell(console: Console, asked: Asked, learnt: Learnt, owed: Owed, found: Sequence[Given]) -> None:
    """Print the table and what to know about it."""
    for sentence in sentences(asked, learnt, owed, found):
        console.print(sentence, markup=False, highlight=False)
    if found:
        console.print(table(found, f"What {_called(asked)} owes most to", texts=console.is_terminal))
        if not console.is_terminal:
            console.print("What people wrote is shown on a terminal only.")


def sentences(asked: Asked, learnt: Learnt, owed: Owed, found: Sequence[Given]) -> list[str]:
    """What to know about the list before it is read; no sentence holds people's words."""
    gain = owed.after - owed.before
    said = [
        f"{asked.name}: its log-likelihood is {owed.after:.1f} nats under release {asked.release}, and "
        f"{owed.before:.1f} under the base model, which has learnt nothing here."
    ]
    if gain <= 0:
        said.append("So the release does not make it likelier: it owes little to any of these rows.")
    elif not found:
        said.append("None of the rows that are here made it likelier.")
    if asked.lessons:
        lessons = "A lesson" if asked.lessons == 1 else f"{asked.lessons} lessons"
        said.append(f"{lessons} stood in its prompt. What it took from there was not learnt, and is not listed.")
    if count := learnt.missing[ERASED]:
        said.append(f"{_rows(count)} that it learnt from {_are(count)} gone: somebody had a text erased.")
    if count := learnt.missing[OTHERS]:
        said.append(f"{_rows(count)} that it learnt from may not be used any more; `python -m data stats` says why.")
    if owed.skipped:
        said.append(f"{_rows(owed.skipped)} {_are(owed.skipped)} left out: no stage can have trained them.")
    return [*said, *learnt.notes]


def table(found: Sequence[Given], title: str, *, texts: bool) -> Table:
    """A line for each; the weights are relative to the first. With `texts`, excerpts of people's words are shown."""
    made = Table("", "what people gave", "number", "when (UTC)", "weight", title=title)
    if texts:
        made.add_column("asked")
        made.add_column("given")
    for place, each in enumerate(found, 1):
        numbers = ", ".join(map(str, each.numbers[:3])) + (", ..." if len(each.numbers) > 3 else "")
        at = f"{each.at:%Y-%m-%d %H:%M}" if each.at else "-"
        line = [str(place), each.kind, numbers or "-", at, f"{each.score / found[0].score:.2f}"]
        made.add_row(*line, *(map(Text, excerpts(each.row)) if texts else ()))
    return made


def excerpts(row: Row) -> tuple[str, str]:
    """The beginnings of a row's last question and of the answer that it prefers, labels or shows."""
    answered = row.kind == "demonstration"
    prompt = row.messages[:-1] if answered else row.messages
    answer = row.messages[-1] if answered else row.data[row.parts[1]][0]
    question = next((each["content"] for each in reversed(prompt) if each["role"] == "user"), "")
    return _short(question), _short(answer["content"])


def _short(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= _EXCERPT else f"{plain[: _EXCERPT - 1]}…"


def _called(asked: Asked) -> str:
    return asked.name[:1].lower() + asked.name[1:]


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"
