"""How a trial stands, counted in bulk, is what is found by looking at one comparison after the other."""

import asyncio
import random

import pytest
from sqlalchemy import case, select, update

from data import schema
from data.consent import withdrawn
from data.errors import BadInput
from data.imports import collect_rows
from data.live import Pair, trial_now
from data.people import pseudonyms
from data.store import Store, StoredGeneration
from data.trials import TrialSoFar
from tests.data.talk import Talk

OUTCOMES = {"tie": 0.5, "both_bad": 0.5}


async def one_by_one(store: Store, base: str | None) -> TrialSoFar:
    """The rules again, for one event after the other."""
    panel = (await collect_rows(store, discord_permission=None)).panel
    async with store.database.read() as session:
        ratings = (await session.scalars(select(schema.Rating).order_by(schema.Rating.id))).all()
        answers = {each.id: each for each in await session.scalars(select(schema.Generation))}
        texts = dict((await session.execute(select(schema.MessageVersion.id, schema.MessageVersion.text))).all())
        silent = (
            await session.scalars(select(schema.Conversation.id).join(schema.Server).where(~schema.Server.may_teach))
        ).all()
        refused = await withdrawn(session)
        names = await pseudonyms(session)
    current: dict[object, schema.Rating] = {}
    for rating in ratings:
        about = frozenset(filter(None, (rating.generation_id, rating.other_id)))
        if rating.kind == "void":
            current = {key: old for key, old in current.items() if rating.generation_id not in key[2]}  # type: ignore[index]  # keys are typed as objects
        else:
            current.pop(key := (rating.rater_id, rating.kind, about), None)
            current[key] = rating
    written = {(r.rater_id, texts[r.text_version_id or 0]) for r in current.values() if r.kind == "correction"}
    by_prompt: dict[str, list[float]] = {}
    people = set()
    for rating in current.values():
        if rating.kind != "comparison" or rating.rater_id in refused or not panel.weight(names[rating.rater_id]):
            continue
        both = [answers[rating.generation_id], answers[rating.other_id or 0]]
        best = {"a": both[0], "b": both[1]}.get(rating.value or "")
        if sorted(each.release for each in both) != [0, 1] or both[0].rendered_sha256 != both[1].rendered_sha256:
            continue
        if any(e.finish_reason not in ("stop", "length") or texts[e.version_id] is None for e in both):
            continue
        if any(each.conversation_id in silent for each in both):
            continue
        if {each.sampling["temperature"] for each in both} == {0.7, 0.1}:
            continue
        longest = {each.sampling["max_tokens"] for each in both}
        if len(longest) > 1 and any(each.finish_reason == "length" for each in both):
            continue
        if base is not None and any(each.release == 0 and each.model not in (None, base) for each in both):
            continue
        if best is not None and (rating.rater_id, texts[best.version_id]) in written:
            continue
        value = OUTCOMES.get(rating.value or "", float(best is not None and best.release == 1))
        by_prompt.setdefault(both[0].rendered_sha256, []).append(value)
        people.add(rating.rater_id)
    means = [sum(values) / len(values) for values in by_prompt.values()]
    return TrialSoFar(len(means), len(people), sum(means) / len(means) if means else 0.5)


async def in_bulk(store: Store, base: str | None = None) -> TrialSoFar | None:
    pair = Pair(0, 1, base)
    found = (await collect_rows(store, discord_permission=None, trial=pair)).trial
    assert found == await asyncio.to_thread(trial_now, store.database.path, pair)
    return found


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.simulation) for seed in (1, 2))])
async def test_counting_in_bulk_finds_what_counting_one_by_one_finds(store: Store, seed: int) -> None:
    draw = random.Random(seed)
    teaching, silent = await store.server("discord", "1"), await store.server("discord", "2")
    await store.set_may_teach("discord", "1", True)
    talks = [
        await Talk.begin(store, "discord", "a", server=teaching),
        await Talk.begin(store, "discord", "b", server=silent),
        await Talk.begin(store),
    ]
    people = [await talks[0].person(f"p{number}", agrees=number != 3 or None) for number in range(5)]
    pairs: list[list[StoredGeneration]] = []
    for number in range(48):
        talk = draw.choice(talks)
        said = await talk.say(draw.choice(people), f"question {number % 9}", platform_id=f"q{number}")
        releases = draw.choice(((0, 1), (0, 1), (0, 1), (0, 2), (1, 1)))
        finish = draw.choice(("stop", "stop", "length", "stopped"))
        pair = []
        for r in releases:
            sampling = {"temperature": draw.choice((0.7, 0.7, 0.7, 0.1)), "max_tokens": draw.choice((64, 64, 128))}
            pair.append(await talk.answer(said, f"{number} {r}", release=r, finish=finish, sampling=sampling))
        pairs.append(pair)
    for _ in range(240):
        first, second = draw.sample(draw.choice(pairs), 2)
        rater, value = draw.choice(people), draw.choice(("a", "b", "tie", "both_bad"))
        await talks[0].rate(rater, "comparison", first, other=second, value=value)
        if draw.random() < 0.1:
            await talks[0].rate(rater, "correction", first, text=second.text)  # it is their own text then
        if draw.random() < 0.03:
            await talks[0].rate(people[0], "void", first)
    await store.set_consent(people[4], False)
    await store.eraser.erase_message("discord", "q1")
    async with store.database.write() as session:
        of_two_bases = case((schema.Generation.id % 3 == 0, "old@1"), (schema.Generation.id % 3 == 1, "new@2"))
        await session.execute(
            update(schema.Generation).where(schema.Generation.release == 0).values(model=of_two_bases)
        )
    prompts = set()
    for base in (None, "new@2"):
        found = await one_by_one(store, base)
        assert found.prompts > 0
        prompts.add(found.prompts)
        counted = await in_bulk(store, base)
        assert counted is not None
        assert (counted.prompts, counted.people) == (found.prompts, found.people)
        assert counted.share == pytest.approx(found.share)
    assert len(prompts) == 2  # answers of the base before are not of release 0


async def test_without_a_comparison_nothing_is_said(talk: Talk) -> None:
    assert await in_bulk(talk.store) == TrialSoFar(0, 0, 0.5)


async def test_a_release_is_not_compared_with_itself(store: Store) -> None:
    with pytest.raises(BadInput, match="Release 1 cannot be compared with itself"):
        await collect_rows(store, discord_permission=None, trial=Pair(1, 1))
