"""What the frozen base makes of every answer of a file: hidden states of several layers, and log-probabilities.

Each conversation is computed once, with the beginnings that answers share. What is computed is kept at once, so that
a benchmark that was stopped goes on where it was.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.errors import BadInput
from data.rows import Row

# Layers, as shares of the base's depth; the last one is what a score head sees.
DEPTHS = (1 / 6, 1 / 3, 1 / 2, 2 / 3, 5 / 6, 1.0)
SHOWN = (1 / 3, 2 / 3, 1.0)
CHUNK = 1000  # tokens that are computed together
KEPT_EVERY = 60.0  # seconds

Floats = NDArray[np.float64]
Encoded = tuple[list[int], list[int], int]  # the tokens of prompt and answer, and the answer's characters


@dataclass
class Features:
    """The features of answers, by the hash of prompt and answer.

    `last` and `mean`, shape (answers, depths, hidden), are the final norm of each depth's hidden states at the end of
    the turn, and their mean over the answer. `log_prob` is the sum over the answer's tokens in nats, `tokens` how
    many there are, `characters` the answer's length.
    """

    names: dict[str, int]
    last: Floats
    mean: Floats
    log_prob: Floats
    tokens: Floats
    characters: Floats

    def has(self, row: Row) -> bool:
        """Whether both answers of a preference were computed."""
        return all(name_of(row, side) in self.names for side in ("chosen", "rejected"))

    def places(self, rows: Sequence[Row], side: str) -> list[int]:
        """The numbers of the rows' chosen or rejected answers."""
        return [self.names[name_of(row, side)] for row in rows]

    def named(self) -> dict[str, Floats]:
        """What heads are fitted to, shape (answers, features)."""
        shown = [DEPTHS.index(depth) for depth in SHOWN]
        depth_of = ("1/3", "2/3", "the last layer")
        a_token = (self.log_prob / self.tokens)[:, None]
        return {
            "log-probability of the answer": self.log_prob[:, None],
            "log-probability a token": a_token,
            **{f"end of turn, {name}": self.last[:, at] for at, name in zip(shown, depth_of, strict=True)},
            **{f"mean, {name}": self.mean[:, at] for at, name in zip(shown, depth_of, strict=True)},
            "means of all six": self.mean.reshape(len(self.mean), -1),
        }


def group_of(row: Row) -> str:
    """The conversation tree that a row is of: its source if that names one, else its prompt."""
    source = str(row.extra.get("source") or "")
    return source if "/" in source else name_of(row, "")


def name_of(row: Row, side: str) -> str:
    """The hash of a prompt with one of its answers."""
    answer = row.data[side][0]["content"] if side else ""
    return hashlib.sha256(json.dumps([row.data["prompt"], answer], sort_keys=True).encode()).hexdigest()[:20]


def features(rows: Sequence[Row], base: str, longest: int, out: Path) -> Features:
    """The features of all answers whose conversation has at most `longest` tokens, kept in `out` for next time."""
    path = out / "features.npz"
    done = _read(path)
    wanted = dict(_encoded(rows, base, longest))
    missing = {name: each for name, each in wanted.items() if name not in done}
    if missing:
        kept_at = time.monotonic()
        for name, found in _computed(base, missing):
            done[name] = found
            if time.monotonic() - kept_at > KEPT_EVERY:
                _write(path, done)
                kept_at = time.monotonic()
        _write(path, done)
    here = [name for name in done if name in wanted]
    if not here:
        raise BadInput(f"No pair has at most {longest} tokens a conversation; raise --longest.")
    columns = [np.stack([np.asarray(done[name][at], dtype=np.float64) for name in here]) for at in range(4)]
    characters = np.array([float(wanted[name][2]) for name in here])
    return Features({name: at for at, name in enumerate(here)}, *columns, characters)


def _encoded(rows: Sequence[Row], base: str, longest: int) -> Iterator[tuple[str, Encoded]]:
    """Names of answers with the token ids of prompt and answer, and the answer's characters."""
    from alignment import models
    from alignment.rows.tokens import control_strings, encode_answer

    tokenizer = models.load_tokenizer(base)
    control = control_strings(tokenizer)
    for row in rows:
        pair = []
        for side in ("chosen", "rejected"):
            text = row.data[side][0]["content"]
            coded = encode_answer(tokenizer, row.data["prompt"], text, control)
            pair.append((name_of(row, side), (list(coded.prompt), list(coded.answer), len(text))))
        if all(len(prompt) + len(answer) <= longest for _, (prompt, answer, _) in pair):
            yield from pair


def _computed(base: str, wanted: dict[str, Encoded]) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """The four columns of `Features` for each answer, short conversations first."""
    import torch

    from alignment import models
    from alignment.fast.install import share_prefixes, shares, sharing_of
    from alignment.fast.trunk import places
    from alignment.rows.batching import padded

    model = models.load_model(base, dtype=torch.float32)
    share_prefixes(model)
    if not shares(model):
        raise BadInput(f"{base} cannot compute conversations together, which this benchmark needs.")
    sharing, (layers, norm) = sharing_of(model), _parts(model.base_model)
    assert sharing is not None
    seen: dict[int, torch.Tensor] = {}
    depths = [max(1, round(depth * len(layers))) for depth in DEPTHS]
    for depth in depths:
        layers[depth - 1].register_forward_hook(_keeping(seen, depth))
    for chunk in _chunks(wanted):
        rows = [[*wanted[name][0], *wanted[name][1]] for name in chunk]
        ids, mask = padded(rows, 0)
        layout = sharing.lay_out(rows, ids.device)
        with torch.no_grad():
            last = sharing.together(layout, {"input_ids": ids}).last_hidden_state.flatten(0, 1)
            states = torch.stack([norm(seen[depth].flatten(0, 1)) for depth in depths])
            for name, where, row in zip(chunk, places(layout, mask.bool()), rows, strict=True):
                start, end = len(wanted[name][0]), len(row)
                logits = model.lm_head(last[where[start - 1 : end - 1]]).log_softmax(-1)
                log_prob = logits.gather(1, torch.tensor(row[start:])[:, None]).double().sum()
                mean = states[:, where[start:end]].mean(dim=1)
                yield name, (states[:, where[end - 1]].numpy(), mean.numpy(), float(log_prob), float(end - start))


def _parts(trunk: Any) -> tuple[Any, Any]:
    """A trunk's layers and its final norm."""
    return (trunk.h, trunk.ln_f) if hasattr(trunk, "h") else (trunk.layers, trunk.norm)


def _keeping(seen: dict[int, Any], depth: int) -> Callable[[Any, Any, Any], None]:
    def hook(_layer: Any, _inputs: Any, output: Any) -> None:
        seen[depth] = output[0] if isinstance(output, tuple) else output

    return hook


def _chunks(wanted: dict[str, Encoded]) -> Iterator[list[str]]:
    """Names in groups of about `CHUNK` tokens, answers to one prompt together, short conversations first."""
    prompts: dict[tuple[int, ...], list[str]] = {}
    for name, (prompt, _, _) in wanted.items():
        prompts.setdefault(tuple(prompt), []).append(name)

    def longest(names: list[str]) -> int:
        return max(len(wanted[name][0]) + len(wanted[name][1]) for name in names)

    found, size = [], 0
    for prompt, names in sorted(prompts.items(), key=lambda each: longest(each[1])):
        found += names
        size += len(prompt) + sum(len(wanted[name][1]) for name in names)
        if size >= CHUNK:
            yield found
            found, size = [], 0
    if found:
        yield found


def _read(path: Path) -> dict[str, tuple[Any, ...]]:
    if not path.exists():
        return {}
    with np.load(path, allow_pickle=False) as there:
        columns = [there[name] for name in ("last", "mean", "log_prob", "tokens")]
        return dict(zip(there["names"].tolist(), zip(*columns, strict=True), strict=True))


def _write(path: Path, done: dict[str, tuple[Any, ...]]) -> None:
    columns = zip(*done.values(), strict=True)
    named = dict(zip(("last", "mean", "log_prob", "tokens"), map(np.array, columns), strict=True))
    unfinished = path.with_name(".features.unfinished.npz")
    np.savez(unfinished, names=np.array(list(done)), **named)
    unfinished.replace(path)
