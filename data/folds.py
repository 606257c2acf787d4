"""Which rows train and which judge: permanent folds of groups of near-duplicate conversations.

A group gets its fold once, and the fold is stored; so no text trains in one round and judges in the next. The first
group trains. A new group goes to one of the folds that have fewer rows than their share, drawn by a keyed hash: the
shares hold from the first conversations on, and nobody without the installation's key can aim a text at a fold. The
exception: of the corrections that a quick round (`alignment.rounds.quick`) is the first to read, up to `UNDRAWN`
groups train without a draw. They are dealt out in turns, and each person's are bounded twice. In one round nobody has
more than `UNDRAWN_EACH`. Over all rounds, no more of the groups that a person corrected train than train's share of
them and `AHEAD`, as far as they were not drawn: so the other folds get their part of everybody's corrections.
Near-duplicates are found in `data.near_duplicates`, and what is stored is in `data.fold_book`.
"""

import secrets
import sys
from array import array
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data.anchors import Anchor, normalised
from data.fold_book import Book, Meanwhile, Member
from data.fold_shares import NEW, SHARES
from data.home import keyed_digest, keyed_hash
from data.near_duplicates import Buckets, Index, Shelf, Signer, buckets_of, stored_neighbours

UNDRAWN = 60  # groups that train at once without a draw; more would leave later conversations to the other folds
UNDRAWN_EACH = 10  # of them for one person
AHEAD = (
    3  # by how many groups a person's may be ahead of train's share: the first ten are, and then it is their share
)
_AT_ONCE = 2000  # texts that are signed together
_REMEMBERED = 20_000  # texts and conversations whose number is remembered
_NONE = -1
_ALIKE = 2500  # new groups whose names begin alike


def draw(key: bytes, group: str, rows: int, held: Mapping[str, int]) -> str:
    """The fold of a new group with `rows` rows, where `held` counts the rows that each fold has so far.

    The keyed hash of the group's name draws among the folds that lack rows, each as likely as it lacks many. So no
    fold ever takes more than its share of all rows and one group. Two rules are for the first conversations: no other
    fold gets more rows than train has, and folds that are empty and should have a whole group go first.
    """
    total, most = sum(held.values()) + rows, held.get("train", 0)
    open_, empty = {}, {}
    for fold, share in SHARES.items():
        there = held.get(fold, 0)
        lack = share * total - there
        if lack > 0 and (fold == "train" or there + rows <= most):
            open_[fold] = lack
            if lack >= rows and not there:
                empty[fold] = lack
    open_ = empty or open_
    point = int(keyed_hash(key, "fold", group)[:13], 16) / 16**13 * sum(open_.values())
    for fold, lack in open_.items():
        if point < lack:
            return fold
        point -= lack
    return next(reversed(open_))


def assign(database: Path, key: bytes, anchors: Iterable[Anchor], *, draws: bool = True) -> list[str | None]:
    """The folds of rows with these anchors, in order. It blocks: call it in a thread. See `Anchors`."""
    gathered = Anchors(database, key)
    for anchor in anchors:
        gathered.add(anchor)
    return gathered.folds(draws=draws)


class Anchors:
    """The anchors of all rows that may be used now, added one after the other: their number says which folds lack
    rows. What is kept of each is a few numbers.

    `database` is where folds are stored, the live one even where rows are read from a copy.
    """

    def __init__(self, database: Path, key: bytes) -> None:
        self._database, self._key, self._shelf = database, key, Shelf(database.parent)
        self._signer = Signer(key)
        self._buckets: list[Buckets] = [buckets_of(self._shelf.some([]))]
        self._texts, self._conversations = _Numbers(key, "text"), _Numbers(key, "conversation")
        self._rows = array("i")  # the text and the conversation of each row
        self._taught = array("i")  # a row and a conversation that taught it: few rows have any
        self._signed = array("i")  # the number on the shelf of each text that has one
        self._waiting: list[tuple[int, str]] = []
        with Book.open(database) as book:
            self._stored = book.texts()

    def add(self, anchor: Anchor) -> None:
        """Add the anchor of the next row."""
        text, new = self._texts.number(anchor.text, normalised)
        if new is not None:
            self._signed.append(_NONE)
            self._waiting.append((text, new))
            if len(self._waiting) >= _AT_ONCE:
                self._sign()
        conversation = self._conversations.number(anchor.conversation)[0] if anchor.conversation else _NONE
        for teacher in anchor.taught:
            self._taught.extend((len(self._rows) // 2, self._conversations.number(teacher)[0]))
        self._rows.extend((text, conversation))

    def _sign(self) -> None:
        """Sign the texts that wait, but for those that are stored already."""
        names = np.array([self._texts.names[text] for text, _ in self._waiting], dtype=np.uint64)
        places = np.searchsorted(self._stored, names)
        known = places < len(self._stored)
        known[known] = self._stored[places[known]] == names[known]
        new = [entry for entry, there in zip(self._waiting, known.tolist(), strict=True) if not there]
        self._waiting.clear()
        if not new:
            return
        for at, (text, _) in enumerate(new):
            self._signed[text] = self._shelf.count + at
        signatures = self._signer.sign([text for _, text in new])
        self._shelf.add(signatures)
        self._buckets.append(buckets_of(signatures))

    def folds(
        self, rows: NDArray[np.int64] | None = None, *, draws: bool = True, training: Mapping[int, str] | None = None
    ) -> list[str | None]:
        """The fold of each row, or of those with these numbers, in order; new groups are stored. Call it once.

        `training` says whose correction a row is, by its number, of all corrections that may be used. New groups that
        one of them is in train without a draw, within the bounds above. They count as the others do, so later groups
        go to the other folds until the shares hold again.

        None where a row touches two folds: its conversation may belong to one, and its text or the correction of a
        lesson that it was given to another. It would carry training text into judging, so it can be used for
        neither. The long work is done before anything is written, and writing is done a little at a time, because
        other writers wait meanwhile. Without `draws` nothing is drawn and stored: new groups have the fold `NEW`, so
        that whoever may only look never learns which fold something will get.
        """
        training = training or {}
        self._sign()
        self._signer.forget()
        self._texts.forget()
        self._conversations.forget()
        self._buckets = [np.concatenate(self._buckets)]
        if rows is not None:
            both = np.frombuffer(self._rows, dtype=np.int32).reshape(-1, 2)[rows]
            self._rows = array("i", both.tobytes())
            self._taught = _only(self._taught, rows)
            places = np.flatnonzero(np.isin(rows, np.fromiter(training, np.int64, len(training))))
            training = {int(at): training[int(rows[at])] for at in places}
        while True:
            with Book.open(self._database) as book:
                placing = _Placing(self._key, book, self._texts, self._conversations, draws=draws)
                placing.place(self._rows, self._signed, self._buckets[0], self._shelf)
                placing.follow(self._taught)
                found = placing.folds(training)
                if not draws or not placing.adds:
                    return found
                try:
                    book.store(placing.members(self._signed), self._shelf)
                    return found
                except Meanwhile:
                    continue  # somebody else assigned folds since, which count


def _only(pairs: "array[int]", rows: NDArray[np.int64]) -> "array[int]":
    """The pairs of those rows, numbered by their places in `rows`, which are sorted."""
    both = np.frombuffer(pairs, dtype=np.int32).reshape(-1, 2)
    kept = both[np.isin(both[:, 0], rows)]
    return array("i", np.stack((np.searchsorted(rows, kept[:, 0]), kept[:, 1]), axis=1).astype(np.int32).tobytes())


class _Numbers:
    """Numbers for texts or conversations, by their fingerprints: keyed hashes, of which 8 bytes tell two apart."""

    def __init__(self, key: bytes, what: str) -> None:
        self._key, self._what = key, what
        self._found: dict[int, int] = {}
        self._last: dict[str, int] = {}
        self.names = array("Q")
        self.digests = bytearray()

    def number(self, text: str, plain: Callable[[str], str] | None = None) -> tuple[int, str | None]:
        """The number of a text, and the text as it counts if it is new."""
        known = self._last.get(text)
        if known is not None:
            return known, None
        counts = plain(text) if plain else text
        digest = keyed_digest(self._key, self._what, counts)
        name = int.from_bytes(digest[:8], "big")
        number = self._found.setdefault(name, len(self.names))
        new = number == len(self.names)
        if new:
            self.names.append(name)
            self.digests += digest
        if len(self._last) >= _REMEMBERED:
            self._last.clear()
        self._last[text] = number
        return number, counts if new else None

    def forget(self) -> None:
        """Forget how to find numbers: there are no more texts to come."""
        self._found.clear()
        self._last.clear()

    def digest(self, number: int) -> bytes:
        """The whole fingerprint."""
        return bytes(self.digests[32 * number : 32 * number + 32])


class _Placing:
    """The groups and their members: the stored ones, and the new ones, whose numbers follow on the stored ones'.

    A new group is called after its first text, as long as it is not stored. New groups that turn out to be one are
    merged; `_merged` says into which. Stored groups stay as they are.
    """

    def __init__(self, key: bytes, book: Book, texts: _Numbers, conversations: _Numbers, *, draws: bool) -> None:
        self._key, self._book, self._draws = key, book, draws
        self._texts, self._conversations = texts, conversations
        self._known = len(book.folds)
        self._text_group = book.groups_of(texts.names)
        self._conversation_group = book.groups_of(conversations.names)
        self._merged: dict[int, int] = {}
        self._added = array("q")  # new texts, and new conversations as -1 - their number
        self._placed = array("q")  # the group of each row
        self._new = np.empty(0, dtype=np.int64)  # the new groups in the order of their numbers, and their folds
        self._drawn: list[str] = []

    @property
    def adds(self) -> bool:
        """Whether there are new members."""
        return bool(self._added)

    def place(self, rows: "array[int]", signed: "array[int]", buckets: Buckets, shelf: Shelf) -> None:
        """Find the group of each row."""
        index = Index(buckets, shelf)
        stored = stored_neighbours(buckets, shelf, self._book.signatures())
        text_of = array("i", [_NONE] * shelf.count)
        for text, number in enumerate(signed):
            if number != _NONE:
                text_of[number] = text
        for text, conversation in zip(rows[::2], rows[1::2], strict=True):
            if self._text_group[text] == _NONE:
                number = signed[text]
                near = {self._root(self._text_group[text_of[other]]) for other in index.neighbours(number)}
                if not self._begin(text, near | stored.get(number, set())):
                    self._placed.append(_NONE)
                    continue
                index.put(number)
            self._placed.append(self._with(self._text_group[text], conversation))

    def follow(self, taught: "array[int]") -> None:
        """Join the groups of rows with those of the conversations that taught them, after all rows have a group.

        So where the two are in different folds already, the row that was taught is left out, not the correction.
        """
        for row, conversation in zip(taught[::2], taught[1::2], strict=True):
            if self._placed[row] != _NONE:
                self._placed[row] = self._with(self._placed[row], conversation)

    def _begin(self, text: int, near: set[int]) -> bool:
        """Add a new text, and join its group with those of its near-duplicates. False if they have two folds."""
        if len({self._book.folds[group] for group in near if group < self._known}) > 1:
            return False
        group = self._text_group[text] = self._known + text
        self._added.append(text)
        for other in sorted(near, key=self._name):
            self._join(group, other)
        return True

    def _with(self, group: int, conversation: int) -> int:
        """The group of a row of a conversation; `_NONE` if that belongs to another fold."""
        if conversation == _NONE:
            return group
        if self._conversation_group[conversation] == _NONE:
            self._conversation_group[conversation] = group
            self._added.append(-1 - conversation)
        elif not self._join(group, self._conversation_group[conversation]):
            return _NONE
        return group

    def _join(self, one: int, other: int) -> bool:
        """Make one group of two, as far as they have no fold yet. False if they belong to different folds."""
        one, other = self._root(one), self._root(other)
        if one < self._known and other < self._known:
            return self._book.folds[one] == self._book.folds[other]
        if one != other:
            # The name is the same in whatever order the texts come: it decides the fold.
            kept = one if one < self._known else other if other < self._known else min(one, other, key=self._name)
            self._merged[other if kept == one else one] = kept
        return True

    def _root(self, group: int) -> int:
        while (kept := self._merged.get(group)) is not None:
            if (next_ := self._merged.get(kept)) is not None:
                self._merged[group] = next_  # a shorter way next time
            group = kept
        return group

    def _name(self, group: int) -> str:
        if group < self._known:
            return self._book.name(group)
        return self._texts.digest(group - self._known).hex()

    def _undrawn(self, roots: NDArray[np.int64], training: Mapping[int, str]) -> list[int]:
        """The new groups that train without a draw: everybody's first, then everybody's second, and so on."""
        turns, so_far = dict[int, int](), Counter[str]()
        room = self._room({(who, int(roots[at])) for at, who in training.items()})
        for at, who in training.items():
            group = int(roots[at])
            if group >= self._known and group not in turns and so_far[who] < room[who]:
                turns[group] = so_far[who]
                so_far[who] += 1
        return sorted(turns, key=turns.__getitem__)[:UNDRAWN]

    def _room(self, corrected: Collection[tuple[str, int]]) -> dict[str, int]:
        """How many groups may train for each person without a draw, by the folds of those they corrected before."""
        share = SHARES["train"]
        ahead = dict[str, float]()
        for who, group in corrected:
            by = (self._book.folds[group] == "train") - share if 0 <= group < self._known else 0.0
            ahead[who] = ahead.get(who, 0.0) + by
        # A group that trains brings a person ahead by what is left of the share; rounding must not take one away.
        return {who: min(UNDRAWN_EACH, int((AHEAD - by) / (1 - share) + 1e-6)) for who, by in ahead.items()}

    def folds(self, training: Mapping[int, str]) -> list[str | None]:
        """The fold of each row that was placed. Some new groups of the rows at the places `training` train.

        New groups get theirs one after the other, the small ones first: otherwise a large one would fill its fold,
        and people with many small ones would get more of the others. Groups of one size come in the order of a keyed
        hash, so that the order of people's questions decides nothing.
        """
        roots = np.fromiter(
            (_NONE if group == _NONE else self._root(group) for group in self._placed), np.int64, len(self._placed)
        )
        groups, counts = np.unique(roots[roots >= 0], return_counts=True)
        held = Counter[str]()
        first = int(np.searchsorted(groups, self._known))
        for group, count in zip(groups[:first].tolist(), counts[:first].tolist(), strict=True):
            held[self._book.folds[group]] += count
        self._new, sizes = groups[first:], counts[first:]
        turns = (keyed_digest(self._key, "order", self._name(group)) for group in self._new.tolist())
        order = np.fromiter((int.from_bytes(turn[:8], "big") for turn in turns), np.uint64, len(self._new))
        self._drawn = [NEW] * len(self._new)
        trains = np.isin(self._new, self._undrawn(roots, training))
        for at in np.lexsort((order, sizes, ~trains)).tolist():
            count = int(sizes[at])
            if not self._draws:
                fold = NEW
            elif trains[at]:
                fold = "train"
            else:
                fold = draw(self._key, self._name(int(self._new[at])), count, held)
            self._drawn[at] = sys.intern(fold)
            held[fold] += count
        found: list[str | None] = []
        for root, place in zip(roots.tolist(), np.searchsorted(self._new, roots).tolist(), strict=True):
            if root == _NONE:
                found.append(None)
            else:
                found.append(self._book.folds[root] if root < self._known else self._drawn[place])
        return found

    def members(self, signed: "array[int]") -> Iterator[Member]:
        """The new members, group by group."""
        last, name, beginning, begun = _NONE, "", "", 0
        group_of = (
            self._text_group[each] if each >= 0 else self._conversation_group[-1 - each] for each in self._added
        )
        groups = np.fromiter((self._root(group) for group in group_of), np.int64, len(self._added))
        added = np.array(self._added, dtype=np.int64)
        order = np.lexsort((added, groups))
        places = np.searchsorted(self._new, groups[order]).tolist()
        for each, group, place in zip(added[order].tolist(), groups[order].tolist(), places, strict=True):
            digest = self._texts.digest(each) if each >= 0 else self._conversations.digest(-1 - each)
            fold = self._drawn[place] if group >= self._known else None
            if group != last and fold is None:
                last, name = group, self._name(group)
            elif group != last:
                # A name that is made of a text would outlive it. Names that are written together begin alike, so that
                # each transaction changes few pages of the index; that says no more than their order in the table.
                if begun % _ALIKE == 0:
                    beginning = secrets.token_hex(2)[1:]
                last, name, begun = group, beginning + secrets.token_hex(32)[len(beginning) :], begun + 1
            yield Member(digest, name, fold, signed[each] if each >= 0 else _NONE)
