"""Real conversations as token ids, and what a model thinks of them: computed by transformers and by an engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from alignment.rows.tokens import control_strings, encode_answer
from data.chat import Message, harmless_messages
from data.errors import ParleyError
from data.personas import LANGUAGES, PERSONAS, SEED, persona
from data.rows import read_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from alignment.serving.engine import RunningEngine

    LogProbs = NDArray[np.float32]

CONTEXT = 4096  # tokens of one conversation in the engine, unless the base takes fewer
POSITIONS = 6  # per passage, from the answer's first token to its end of turn
PROBE = 48  # tokens by which a server's weights are recognised
TOKENS = 32  # per position: those that transformers finds likeliest
# The engine lists this many tokens a position; tokens that it leaves out are at most as likely as its last.
_ANSWERED = 1000


class NotServable(ParleyError):
    """An export does not compute what was trained, or a base what transformers computes; it must not serve."""

    exit_code = 1


@dataclass(frozen=True, slots=True)
class Passage:
    """A real conversation as token ids; before each of `positions` the next token's distribution is compared."""

    messages: Sequence[Message]  # up to the answer, control strings harmless
    prompt: list[int]
    ids: list[int]
    positions: list[int]


def real_passages(tokenizer: Any, longest: int | None = None) -> list[Passage]:
    """One passage for every persona and language, from the project's seed demonstrations.

    Those of more than `longest` tokens are left out: a small base takes no more.
    """
    import numpy as np

    control = control_strings(tokenizer)
    passages = []
    for language in LANGUAGES:
        for name in PERSONAS:
            system = Message(role="system", content=persona(name, language).system_prompt)
            choices = []
            for row in read_rows(SEED / name / f"demonstrations.{language}.jsonl", "demonstration"):
                messages = [system, *row.data["messages"]]
                coded = encode_answer(tokenizer, messages[:-1], messages[-1]["content"], control)
                start, end = len(coded.prompt), len(coded.prompt) + len(coded.answer)
                spread = np.linspace(start, end - 1, POSITIONS).astype(int).tolist()
                before = harmless_messages(messages[:-1], control)
                if end - start >= 2 * POSITIONS and end < (longest or end + 1):
                    choices.append(Passage(before, coded.prompt, coded.prompt + coded.answer, spread))
            # A longer one would only cost time.
            passages += sorted(choices, key=lambda passage: len(passage.ids))[:1]
    if not passages:
        raise NotServable(f"No passage of the check fits into a context of {longest} tokens, so nothing is compared.")
    return passages


def log_probs(model: Any, passages: Sequence[Passage]) -> LogProbs:
    """A transformers model's log-softmax in float32 before each position; shape (positions, vocabulary)."""
    import torch

    rows = []
    with torch.no_grad():
        for passage in passages:
            keep = torch.tensor(passage.positions, device=model.device) - 1  # the logits that predict what is there
            ids = torch.tensor([passage.ids], device=model.device)
            logits = model(input_ids=ids, logits_to_keep=keep).logits[0]
            rows.append(torch.log_softmax(logits.float(), dim=-1).cpu())
    result: LogProbs = torch.cat(rows).numpy()
    return result


def probe(model: Any, passages: Sequence[Passage]) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """The first `PROBE` tokens of the shortest passage, and the model's log-probabilities of all but the first."""
    import torch

    ids = min((passage.ids for passage in passages), key=len)[:PROBE]
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([ids], device=model.device)).logits[0, :-1]
    found = torch.log_softmax(logits.float(), dim=-1).cpu()[range(len(ids) - 1), ids[1:]]
    return tuple(ids), tuple(round(float(each), 5) for each in found)


def engine_log_probs(
    engine: RunningEngine, passages: Sequence[Passage], scale: float | None = None
) -> list[dict[int, float]]:
    """An engine's log-probabilities by token id, before each position.

    `scale` is that of its adapter; None asks for what it serves.
    """
    tables = []
    forced = _harmless_token(engine)
    for passage in passages:
        for number, position in enumerate(passage.positions):
            body: dict[str, Any] = {
                "prompt": passage.ids[:position],
                "n_predict": 1,
                "n_probs": _ANSWERED,
                "temperature": 0.0,
                "id_slot": 0,
                # Within a passage the next prompt continues the last one; before it the cache belongs to another
                # scale.
                "cache_prompt": number > 0,
                # The engine lists nothing for a token that ends a turn or is half a character, so a harmless one is
                # forced. The listed log-probabilities come from before the sampler and are not touched by it.
                "logit_bias": [[forced, 1000.0]],
            }
            if scale is not None:
                body["lora"] = [{"id": 0, "scale": scale}]
            answer = engine.post("/completion", body)
            try:
                listed = answer["completion_probabilities"][0]["top_logprobs"]
            except (KeyError, IndexError) as error:
                raise NotServable(
                    "The engine answered without log-probabilities, so nothing can be compared."
                ) from error
            tables.append({int(entry["id"]): float(entry["logprob"]) for entry in listed})
    return tables


def _harmless_token(engine: RunningEngine) -> int:
    """A token of whole characters that ends nothing: the last one of a plain word."""
    ids = engine.post("/tokenize", {"content": "a", "add_special": False, "parse_special": False})["tokens"]
    if not ids:
        raise NotServable("The engine makes no token of the letter a, so nothing can be compared.")
    return int(ids[-1])


def apart(served: Sequence[dict[int, float]], wanted: LogProbs, tokens: int = TOKENS) -> LogProbs:
    """By how much an engine's log-probabilities differ, in nats: shape (positions, `tokens`), absolute values.

    At each position, the `tokens` likeliest of `wanted`, shape (positions, vocabulary), are compared.
    """
    import numpy as np

    rows = []
    for table, row in zip(served, wanted, strict=True):
        last = min(table.values())
        rows.append([abs(table.get(int(token), last) - float(row[token])) for token in np.argsort(-row)[:tokens]])
    return np.array(rows, dtype=np.float32)


def compare_tokens(engine: RunningEngine, passages: Sequence[Passage]) -> None:
    """Raise `NotServable` unless the engine makes the trainer's token ids from the same messages."""
    for number, passage in enumerate(passages, 1):
        text = engine.post("/apply-template", {"messages": list(passage.messages)})["prompt"]
        answer = engine.post("/tokenize", {"content": text, "add_special": True, "parse_special": True})
        if answer["tokens"] != passage.prompt:
            at = next(
                (i for i, (a, b) in enumerate(zip(answer["tokens"], passage.prompt, strict=False)) if a != b),
                min(len(answer["tokens"]), len(passage.prompt)),
            )
            raise NotServable(
                f"The engine makes other tokens of passage {number} than the trainer (from token {at} on): their "
                "templates or tokenizers differ, so what was trained is not what would be served."
            )
