"""Rows whose texts are in a file: what is counted or sorted is a few numbers a row."""

import json
import math
import struct
from array import array
from collections import Counter
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from data.candidates import Candidate
from data.fold_shares import NEW, SHARES
from data.prompts import prompts_of
from data.row import KINDS, PARTS, TOOLS, Row, trained_turns
from data.spool import Spool

FOLDS = (*SHARES, NEW)
TIE = len(KINDS)  # the number of ties among the kinds
_KIND = {kind: number for number, kind in enumerate(KINDS)}
_SHOWN_TO_JUDGES = ("judge", "gate")  # the folds whose rows an evaluation reads
_OUTSIDE, _PLAIN, _WEAK = 1, 2, 4
_NO_PROMPT = bytes(16)
_dump = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode

# A row's numbers lie together: where its text is and how long, its kind, flags, persona and the like, weight, margin,
# the hashes of its content and its prompt, and where its raters and its backers end.
_RECORD = struct.Struct("<QIBBIdd16s16sQQ")
_COLUMNS = np.dtype(
    [
        *(("at", "<u8"), ("length", "<u4"), ("kind", "u1"), ("flags", "u1"), ("where", "<u4")),
        *(("weight", "<f8"), ("margin", "<f8"), ("content", ">u8", 2), ("prompt", ">u8", 2)),
        *(("raters", "<u8"), ("claims", "<u8")),
    ]
)

Numbers = NDArray[np.int64]


def kind_of(candidate: Candidate) -> int:
    """The number of a candidate's kind; ties have one of their own."""
    return TIE if candidate.tie else _KIND[candidate.kind]


class Content(NamedTuple):
    """A candidate's data in JSON with sorted keys, and the hashes of its content and its id's."""

    raw: bytes
    digest: bytes
    feedback_digest: bytes
    plain: bool  # whether its messages have a role and a content only, and it has no tools

    @classmethod
    def of(cls, candidate: Candidate) -> "Content":
        """Dump a candidate's data."""
        parts = candidate.parts
        plain = candidate.tools is None and all(len(each) == 2 for part in parts.values() for each in part)
        raw = _dumped(parts if plain and candidate.label is None else candidate.data, plain=plain)
        digest = feedback = _sha256(raw)
        if candidate.kind == "demonstration" and "prompt" in parts:
            # Corrections became rows of the form `messages` once; their ids stay as they were then.
            feedback = _sha256(_dumped({"messages": [*parts["prompt"], *parts["completion"]]}, plain=plain))
        return cls(raw, digest, feedback, plain)

    def asked(self, candidate: Candidate) -> bytes | None:
        """The hash of the candidate's prompt as a row of its own; None where no question asks for the answer."""
        prompt = candidate.parts.get("prompt")
        if prompt is None:
            if not self.plain:
                found = prompts_of([Row(candidate.kind, candidate.data)])
                return _sha256(_dumped(found[0].data, plain=False)) if found else None
            messages = candidate.parts["messages"]
            trained = trained_turns(messages)
            prompt = messages[: trained[-1]] if trained else messages[:-1]
        if not prompt or prompt[-1]["role"] != "user":
            return None
        if candidate.kind == "prompt" and candidate.tools is None and candidate.label is None:
            return self.digest
        tools = {TOOLS: candidate.tools} if candidate.tools else {}
        return _sha256(_dumped({"prompt": prompt, **tools}, plain=self.plain))


def _dumped(data: Mapping[str, object], *, plain: bool) -> bytes:
    """JSON with sorted keys and without spaces. `orjson` writes texts as `json` does, twenty times as fast; numbers
    and halves of surrogate pairs, which only rows that are not plain can have, it does not."""
    return orjson.dumps(data, option=orjson.OPT_SORT_KEYS) if plain else _dump(data).encode()


def _sha256(raw: bytes) -> bytes:
    return sha256(raw).digest()[:16]


class Use(NamedTuple):
    """What a row is, and what it may be used for."""

    kind: str
    fold: str
    persona: str | None
    language: str | None


class Names:
    """Numbers for names, in the order in which they come."""

    def __init__(self) -> None:
        self.names: list[Any] = []
        self._numbers: dict[Any, int] = {}

    def number(self, name: Any) -> int:
        """The number of a name."""
        found = self._numbers.setdefault(name, len(self.names))
        if found == len(self.names):
            self.names.append(name)
        return found


class Shelf:
    """The rows, numbered from 0. Each has a fold and its final weight once `settle` gave them."""

    def __init__(self, folder: Path) -> None:
        self._spool = Spool(folder)
        self._records, self._count = bytearray(), 0
        self._wheres = Names()  # persona, language, source, platform, release
        self.raters = Names()
        self._rater = array("I")
        self._claimer, self._claim = array("I"), array("d")
        self._fold, self._final = np.empty(0, dtype=np.int8), np.empty(0, dtype=np.float64)

    def __len__(self) -> int:
        return self._count

    def add(self, candidate: Candidate, content: Content, row_id: str) -> None:
        """Add a row."""
        plain = content.plain
        data = content.raw if plain else json.dumps(candidate.data, ensure_ascii=False).encode()
        raw = data + b"\n" + row_id.encode()
        if candidate.raters:
            self._rater.extend(map(self.raters.number, candidate.raters))
        if candidate.backing:
            self._claimer.extend(map(self.raters.number, candidate.backing))
            self._claim.extend(candidate.backing.values())
        self._records += _RECORD.pack(
            self._spool.append(raw),
            len(raw),
            kind_of(candidate),
            _OUTSIDE * candidate.outside_judge + _PLAIN * plain + _WEAK * candidate.weak,
            self._wheres.number(
                (candidate.persona, candidate.language, candidate.source, candidate.platform, candidate.release)
            ),
            candidate.weight,
            math.nan if candidate.margin is None else candidate.margin,
            content.digest,
            content.asked(candidate) or _NO_PROMPT,
            len(self._rater),
            len(self._claim),
        )
        self._count += 1

    # -- all of them ------------------------------------------------------------------------------------------------

    @property
    def kinds(self) -> NDArray[np.uint8]:
        """The kind of each row."""
        return self._column("kind")

    @property
    def weights(self) -> NDArray[np.float64]:
        """The weight of each row, as it was added."""
        return self._column("weight")

    @property
    def weak(self) -> NDArray[np.bool_]:
        """Which rows are made of follow-up messages."""
        return (self._column("flags") & _WEAK) > 0

    def _column(self, name: str) -> NDArray[Any]:
        found: NDArray[Any] = np.frombuffer(self._records, _COLUMNS)[name]
        return np.ascontiguousarray(found, found.dtype.newbyteorder("="))

    def repeated(self) -> NDArray[np.bool_]:
        """Which rows have the same content and kind as an earlier one; what was rated comes before follow-ups."""
        content, kinds = self._column("content").T, self.kinds
        order = np.lexsort((np.arange(len(self)), self.weak, content[1], content[0], kinds))
        again = np.zeros(len(self), dtype=bool)
        kind, high, low = kinds[order], content[0][order], content[1][order]
        again[order[1:]] = (kind[1:] == kind[:-1]) & (high[1:] == high[:-1]) & (low[1:] == low[:-1])
        return again

    def backing(self, numbers: Numbers) -> tuple[Numbers, Numbers, NDArray[np.float64]]:
        """The backers of some rows: an entry each, with the row's place in `numbers`, the rater and the claim."""
        ends = self._column("claims").astype(np.int64)
        start, end = np.where(numbers > 0, ends[numbers - 1], 0), ends[numbers]
        size = end - start
        entry = np.arange(size.sum()) - np.repeat(np.cumsum(size) - size, size) + np.repeat(start, size)
        rater = np.array(self._claimer, dtype=np.int64)[entry]
        return np.repeat(np.arange(len(numbers)), size), rater, np.array(self._claim, dtype=np.float64)[entry]

    def backed(self) -> NDArray[np.bool_]:
        """Which rows have backing."""
        return _sizes(self._column("claims")) > 0

    def settle(self, folds: NDArray[np.int8], weights: NDArray[np.float64]) -> None:
        """Give each row its fold (the place in `FOLDS`, -1 for none) and its weight."""
        self._fold, self._final = folds, weights

    def ordered(self, kind: int | None, fold: str | None) -> Numbers:
        """The rows of a kind and fold, in the order of a hash of their content; those of follow-ups come last."""
        found = self._chosen(kind, fold)
        high, low = self._column("content").T
        return found[np.lexsort((low[found], high[found], self.weak[found]))]

    def prompts(self, fold: str | None) -> Numbers:
        """For each prompt of a fold the row that has it first, in the order of a hash of the prompts."""
        kinds = (KINDS.index("prompt"), *(at for at, kind in enumerate(KINDS) if kind != "prompt"))
        found = np.concatenate([self.ordered(kind, fold) for kind in kinds])
        high, low = (column[found] for column in self._column("prompt").T)
        asked = (high != 0) | (low != 0)
        found, high, low = found[asked], high[asked], low[asked]
        order = np.lexsort((np.arange(len(found)), low, high))
        first = np.ones(len(order), dtype=bool)
        first[1:] = (high[order][1:] != high[order][:-1]) | (low[order][1:] != low[order][:-1])
        chosen: Numbers = found[order[first]]
        return chosen

    def _chosen(self, kind: int | None, fold: str | None) -> Numbers:
        kept = self._fold >= 0
        kept &= (self.kinds != TIE) if kind is None else (self.kinds == kind)
        if fold is not None:
            kept &= self._fold == (FOLDS.index(fold) if fold in FOLDS else -2)
        return np.flatnonzero(kept)

    def counts(self) -> Counter[Use]:
        """How many rows there are of each use, without ties."""
        found: Counter[Use] = Counter()
        where, kinds = self._column("where").astype(np.int64), self.kinds.astype(np.int64)
        uses = (where * len(FOLDS) + self._fold) * TIE + kinds
        for use, count in zip(*np.unique(uses[self._chosen(None, None)], return_counts=True), strict=True):
            place, fold, kind = int(use) // TIE // len(FOLDS), int(use) // TIE % len(FOLDS), int(use) % TIE
            persona, language, *_ = self._wheres.names[place]
            found[Use(KINDS[kind], FOLDS[fold], persona, language)] += int(count)
        return found

    def names(self, *, ties: bool, weak: bool) -> set[str]:
        """The raters of all rows that may be used; without `ties` or `weak`, such rows are left out."""
        rows = (self._fold >= 0) & (ties | (self.kinds != TIE)) & (weak | ~self.weak)
        kept = np.repeat(rows, _sizes(self._column("raters")))
        used = np.unique(np.array(self._rater, dtype=np.int64)[kept])
        return {self.raters.names[rater] for rater in used.tolist()}

    # -- one of them ------------------------------------------------------------------------------------------------

    def row(self, number: int) -> Row:
        """One row, read from the file."""
        at, length, kind, flags, where, _, margin, *_, claims = self._record(number)
        raw, _, row_id = self._spool.read(at, length).partition(b"\n")
        name = "preference" if kind == TIE else KINDS[kind]
        data = orjson.loads(raw) if flags & _PLAIN else json.loads(raw)
        if flags & _PLAIN:
            data = _in_order(name, data)
        persona, language, source, platform, release = self._wheres.names[where]
        weight = float(self._final[number])
        backed = claims > (self._record(number - 1)[-1] if number else 0)
        extra = {
            "id": row_id.decode(),
            "persona": persona,
            "language": language,
            "source": source,
            # Rounded: reliability is not known more precisely, and the file shows 0.3 as 0.3. Digits and not places,
            # because a row of somebody who rated ten thousand may weigh very little, but never nothing.
            "weight": float(f"{weight:.4g}") if backed else weight,
            "margin": None if math.isnan(margin) else margin,
            "tie": kind == TIE or None,
            "platform": platform,
            "release": release,
            "consent": True,  # rows without consent do not get here
            # Only in folds that an evaluation reads: training rows are never shown to anybody outside.
            "outside_judge": (flags & _OUTSIDE and self.fold(number) in _SHOWN_TO_JUDGES) or None,
        }
        return Row(name, data, {key: value for key, value in extra.items() if value is not None})

    def fold(self, number: int) -> str:
        """The fold of a row."""
        return FOLDS[int(self._fold[number])]

    def platform(self, number: int) -> str:
        """The platform of a row."""
        found: str = self._wheres.names[self._record(number)[4]][3]
        return found

    def raters_of(self, number: int) -> tuple[str, ...]:
        """The raters of a row."""
        start = self._record(number - 1)[-2] if number else 0
        return tuple(self.raters.names[at] for at in self._rater[start : self._record(number)[-2]])

    def claims_of(self, number: int) -> tuple[float, ...]:
        """How much each person who backs a row counts."""
        start = self._record(number - 1)[-1] if number else 0
        return tuple(self._claim[start : self._record(number)[-1]])

    def _record(self, number: int) -> tuple[Any, ...]:
        return _RECORD.unpack_from(self._records, number * _RECORD.size)


def _sizes(ends: NDArray[np.uint64]) -> Numbers:
    """How many entries each row has, given where they end."""
    found = ends.astype(np.int64)
    found[1:] -= found[:-1].copy()
    return found


def _in_order(kind: str, data: dict[str, Any]) -> dict[str, Any]:
    """The data with its keys in the order in which rows are written."""
    parts = next(parts for parts in PARTS[kind] if parts[0] in data)
    found: dict[str, Any] = {
        part: [{"role": message["role"], "content": message["content"]} for message in data[part]] for part in parts
    }
    return found | {"label": data["label"]} if "label" in data else found
