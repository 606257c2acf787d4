"""Live comparisons of two releases."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import update

from data import comparisons, schema
from data.comparisons import LiveComparison
from data.errors import BadInput
from data.generations import add_generation
from data.home import installation_key
from data.live import Pair
from data.ratings import add_rating
from data.store import NewRating, Store, StoredGeneration
from data.times import now
from tests.data.talk import Talk, again


async def trial(store: Store, pair: Pair, permission: str | None = None) -> comparisons.Trial:
    return await asyncio.to_thread(comparisons.trial, store.database.path, pair, discord_permission=permission)


async def live(store: Store, champion: int = 1, candidate: int = 2) -> list[LiveComparison]:
    return (await trial(store, Pair(champion, candidate))).comparisons


async def pair(
    talk: Talk, asker: int, question: str = "q", releases: tuple[int, int] = (1, 2)
) -> list[StoredGeneration]:
    said = await talk.say(asker, question)
    texts = ("champion", "a candidate's answer")
    return [await talk.answer(said, text, release=r) for text, r in zip(texts, releases, strict=True)]


@pytest.mark.parametrize(("value", "wanted"), [("a", 0.0), ("b", 1.0), ("tie", 0.5), ("both_bad", 0.5)])
@pytest.mark.parametrize("turned", [False, True])
async def test_the_outcome_is_seen_from_the_candidate(talk: Talk, value: str, wanted: float, turned: bool) -> None:
    ada = await talk.person()
    old, new = await pair(talk, ada)
    first, second = (new, old) if turned else (old, new)
    await talk.rate(ada, "comparison", first, other=second, value=value)
    (found,) = await live(talk.store)
    assert found.value == (1 - wanted if turned else wanted)
    assert (found.champion_chars, found.candidate_chars) == (len("champion"), len("a candidate's answer"))
    assert (found.language, found.persona) == ("en", "tutor")
    (mirrored,) = await live(talk.store, 2, 1)
    assert mirrored.value == 1 - found.value
    assert (mirrored.champion_chars, mirrored.candidate_chars) == (found.candidate_chars, found.champion_chars)


async def test_only_current_ratings_count_and_each_rater_once_per_pair(talk: Talk) -> None:
    ada, bob, moderator = [await talk.person(name) for name in ("ada", "bob", "moderator")]
    old, new = await pair(talk, ada)
    await talk.rate(ada, "comparison", old, other=new, value="a")
    await talk.rate(ada, "comparison", new, other=old, value="a")  # thinks again, shown the other way round
    await talk.rate(bob, "comparison", old, other=new, value="a")
    await talk.rate(bob, "vote", new, value="up")
    found = await live(talk.store)
    assert sorted(one.value for one in found) == [0.0, 1.0]
    assert len({one.rater for one in found}) == 2
    assert len({one.prompt for one in found}) == 1
    await talk.rate(moderator, "void", new)
    assert await live(talk.store) == []


async def test_other_releases_other_prompts_and_broken_answers_do_not_count(talk: Talk) -> None:
    ada = await talk.person()
    for releases in ((1, 1), (1, 3), (0, 2)):
        old, new = await pair(talk, ada, f"q{releases}", releases)
        await talk.rate(ada, "comparison", old, other=new, value="b")
    (_, new), (old, _) = await pair(talk, ada, "one prompt"), await pair(talk, ada, "another prompt")
    await talk.rate(ada, "comparison", old, other=new, value="b")
    said = await talk.say(ada, "stopped")
    old, new = await talk.answer(said, release=1), await talk.answer(said, release=2, finish="stopped")
    await talk.rate(ada, "comparison", old, other=new, value="a")
    assert await live(talk.store) == []
    said = await talk.say(ada, "too long")  # which is the release's doing
    old, new = await talk.answer(said, release=1), await talk.answer(said, release=2, finish="length")
    await talk.rate(ada, "comparison", old, other=new, value="a")
    assert [one.value for one in await live(talk.store)] == [0.0]


async def test_comparisons_need_no_permission_to_train_but_leave_out_people_who_said_no(store: Store) -> None:
    talk = await Talk.begin(store, "discord", "channel")
    ada, eve = await talk.person("ada", agrees=None), await talk.person("eve")
    old, new = await pair(talk, ada)
    for person in (ada, eve):
        await talk.rate(person, "comparison", old, other=new, value="b")
    assert len(await live(store)) == 2
    await store.set_consent(eve, False)
    assert len(await live(store)) == 1


async def test_erased_answers_do_not_count(talk: Talk) -> None:
    ada = await talk.person()
    old, new = await pair(talk, ada)
    await talk.rate(ada, "comparison", old, other=new, value="b")
    await talk.store.set_platform_id(new.message, "answer")
    assert await talk.store.eraser.erase_message("terminal", "answer")
    assert await live(talk.store) == []


@pytest.mark.simulation
async def test_a_script_decides_nothing(talk: Talk) -> None:
    ada, script = await talk.person("ada"), await talk.person("script")
    old, new = await pair(talk, ada)
    key = installation_key(talk.store.database.path.parent)
    async with talk.store.database.write() as session:
        for item in range(110):
            made = await add_generation(session, key, again(talk, old, f"answer {item}"))
            vote = {"rater": script, "kind": "vote", "value": "up", "platform": "terminal"}
            await add_rating(session, NewRating(source_id=f"s{item}", generation=made.generation, **vote))
    for person in (ada, script):
        await talk.rate(person, "comparison", old, other=new, value="b")
    async with talk.store.database.write() as session:
        query = update(schema.Rating).where(schema.Rating.rater_id == script)
        await session.execute(query.values(created_at=now() + timedelta(seconds=1)))
    assert len(await live(talk.store)) == 1


async def test_a_release_is_not_compared_with_itself(store: Store) -> None:
    with pytest.raises(BadInput, match="Release 2 cannot be compared with itself"):
        await live(store, 2, 2)


async def test_comparisons_do_not_count_where_the_manager_lets_nobody_teach(store: Store) -> None:
    talk = await Talk.begin(store, "discord", server=await store.server("discord", "1"))
    ada = await talk.person()
    old, new = await pair(talk, ada)
    await talk.rate(ada, "comparison", old, other=new, value="b")
    assert await live(store) == []
    await store.set_may_teach("discord", "1", True)
    assert [one.value for one in await live(store)] == [1.0]


async def shown(store: Store, permission: str | None = None) -> list[comparisons.ShownPair]:
    return (await trial(store, Pair(1, 2), permission)).pairs


async def test_a_judge_may_read_the_pairs_that_were_shown_with_or_without_a_comparison(talk: Talk) -> None:
    ada, bob = await talk.person("ada"), await talk.person("bob", agrees=None)
    old, new = await pair(talk, ada)
    await pair(talk, ada, "another question")
    await pair(talk, bob, "a secret")  # bob did not agree to training
    await pair(talk, ada, "other releases", (1, 3))
    await talk.rate(ada, "comparison", old, other=new, value="b")
    (compared,) = await live(talk.store)
    found = await shown(talk.store)
    assert [one.messages[-1]["content"] for one in found] == ["q", "another question"]
    assert [one.prompt == compared.prompt for one in found] == [True, False]
    assert {(one.champion, one.candidate) for one in found} == {("champion", "a candidate's answer")}
    assert not any(one.outside_judge for one in found)


async def test_a_judge_reads_pairs_from_discord_only_with_its_permission(store: Store) -> None:
    talk = await Talk.begin(store, "discord", "channel")
    await pair(talk, await talk.person())
    assert await shown(store) == []
    assert len(await shown(store, "a reference")) == 1


async def test_the_panel_knows_the_server_on_which_each_rater_rates_most(store: Store) -> None:
    one, two = await store.server("discord", "111"), await store.server("discord", "222")
    talks = [
        await Talk.begin(store, "discord", "a", server=one),
        await Talk.begin(store, "discord", "b", server=two),
        await Talk.begin(store, "discord", "c", server=two),
        await Talk.begin(store, "discord", "direct"),
    ]
    ada, bob, eve = [await talks[0].person(name) for name in ("ada", "bob", "eve")]
    for talk in talks:
        old, new = await pair(talk, eve)
        await talk.rate(ada, "comparison", old, other=new, value="b")
        if talk is talks[0]:
            await talk.rate(bob, "vote", new, value="up")
        if talk is talks[-1]:
            await talk.rate(eve, "vote", new, value="up")
    found = await trial(store, Pair(1, 2))
    (rater,) = {one.rater for one in found.comparisons}
    assert found.panel.servers[rater] == two
    assert sorted(found.panel.servers.values()) == [one, two]  # eve rated in a direct conversation only
    await store.set_consent(bob, False)
    found = await trial(store, Pair(1, 2))
    assert list(found.panel.servers.values()) == [two]  # what bob rated does not count any more
