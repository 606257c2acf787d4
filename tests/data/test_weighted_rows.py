"""Rows carry their raters' reliability; ties are kept apart; prompts come from rows of every kind."""

import sqlite3
from datetime import timedelta
from statistics import mean
from typing import Any

import pytest
from sqlalchemy import update

from data import datasets, schema
from data.datasets import Collected
from data.errors import BadInput
from data.generations import add_generation
from data.home import installation_key
from data.imports import collect_rows, import_rows
from data.messages import add_message
from data.prompts import prompts_of
from data.rows import parse_row
from data.store import Store
from data.times import now
from tests.data.crowd import crowd, ratings
from tests.data.talk import Talk, again, generated


async def rows(store: Store) -> Collected:
    return await collect_rows(store, discord_permission=None)


async def community(store: Store, items: int = 60, seed: int = 1) -> dict[str, str]:
    """Sixty questions with a good and a bad answer each, compared by a crowd; pseudonyms by name.

    All of it is one transaction, because that is much faster.
    """
    members = {member.name: await store.person("terminal", member.name) for member in crowd()}
    asker = await store.person("terminal", "asker")
    for person in (*members.values(), asker):
        await store.set_consent(person, True)
    talk = await Talk.begin(store)
    said = ratings(crowd(), seed, items=items)
    key = installation_key(store.database.path.parent)
    async with store.database.write() as session:
        pairs = []
        for item in range(items):
            place: dict[str, Any] = {"author": asker, "parent": None, "platform_id": None}
            asked = await add_message(session, talk.conversation, "user", f"question number {item}", **place)
            answers = [{"rendered_sha256": f"{item:064}", "text": f"{text} {item}"} for text in ("good", "bad")]
            made = [generated(talk.conversation, asked.message, (asked.version,), **answer) for answer in answers]
            pairs.append([(await add_generation(session, key, one)).generation for one in made])
        for number, one in enumerate(said):
            first, second = sorted(pairs[one.item], reverse=number % 2 == 0)
            # A rater who is right prefers the good answer, wherever it was shown.
            right = one.value == one.truth
            value = "a" if (first == pairs[one.item][0]) == right else "b"
            session.add(
                schema.Rating(
                    source_id=f"crowd-{number}",
                    rater_id=members[one.member.name],
                    kind="comparison",
                    generation_id=first,
                    other_id=second,
                    value=value,
                    platform="terminal",
                    created_at=now() + timedelta(seconds=40 * number),  # people take their time
                )
            )
    with sqlite3.connect(store.database.path) as connection:
        names = dict(connection.execute("SELECT id, pseudonym FROM people").fetchall())
    return {names[person]: name for name, person in members.items()}


@pytest.mark.simulation
async def test_a_brigade_does_not_decide_where_honest_raters_outweigh_it(store: Store) -> None:
    names = await community(store)
    found = await rows(store)
    kind = {names[name]: one.weight for name, one in found.panel.raters.items()}
    assert mean(weight for name, weight in kind.items() if name.startswith("honest")) > 0.9
    assert max(weight for name, weight in kind.items() if name.startswith("brigade")) < 0.1
    preferences = [row for row in found.rows if row.row.kind == "preference"]
    right = [row.row.data["chosen"][0]["content"].startswith("good") for row in preferences]
    assert mean(right) > 0.8
    weights = [row.row.extra["weight"] for row in preferences]
    assert min(weights) > 0
    assert mean(w for w, r in zip(weights, right, strict=True) if r) > 0.4
    assert mean(w for w, r in zip(weights, right, strict=True) if not r) < 0.4
    assert found.dropped["preference"][datasets.UNRELIABLE] > 10  # what only the brigade says


@pytest.mark.simulation
async def test_nobody_holds_more_than_a_voice_of_a_kind(talk: Talk) -> None:
    asker = await talk.person("asker")
    busy, *others = [await talk.person(f"rater-{i}") for i in range(7)]
    for item, rater in enumerate([busy] * 30 + others):
        (answer,) = await talk.ask(asker, f"question {item} of many", f"answer {item}")
        await talk.rate(rater, "vote", answer, value="up", source_id=f"vote-{item}")
    async with talk.store.database.write() as session:
        for item in range(36):
            query = update(schema.Rating).where(schema.Rating.source_id == f"vote-{item}")
            await session.execute(query.values(created_at=now() + timedelta(minutes=item)))
    found = (await rows(talk.store)).of("labelled")
    weights = sorted(row.extra["weight"] for row in found)
    assert len(found) == 36
    assert weights[-6:] == [weights[-1]] * 6
    assert sum(weights[:30]) == pytest.approx(sum(weights) / 7, abs=0.01)


@pytest.mark.simulation
async def test_accounts_with_questions_of_their_own_hold_their_heads_in_every_fold(talk: Talk) -> None:
    """Eight honest people with six comparisons each, two accounts with fifty: at most two heads of those there."""
    people = [await talk.person(f"honest-{i}") for i in range(8)] + [
        await talk.person(f"hostile-{i}") for i in (1, 2)
    ]
    key = installation_key(talk.store.database.path.parent)
    async with talk.store.database.write() as session:
        for number, (person, item) in enumerate(
            (person, item) for at, person in enumerate(people) for item in range(6 if at < 8 else 50)
        ):
            text = f"question {number * 7919} {item} of {person}"
            place: dict[str, Any] = {"author": person, "parent": None, "platform_id": None}
            asked = await add_message(session, talk.conversation, "user", text, **place)
            texts = ("good", "bad") if person in people[:8] else ("bad", "good")
            one, two = [
                (
                    await add_generation(
                        session,
                        key,
                        generated(
                            talk.conversation,
                            asked.message,
                            (asked.version,),
                            rendered_sha256=f"{number:064}",
                            text=f"{each} {number}",
                        ),
                    )
                ).generation
                for each in texts
            ]
            session.add(
                schema.Rating(
                    source_id=f"own-{number}",
                    rater_id=person,
                    kind="comparison",
                    generation_id=one,
                    other_id=two,
                    value="a",
                    platform="terminal",
                    created_at=now() + timedelta(seconds=40 * number),
                )
            )
    found = await rows(talk.store)
    for (kind, fold), shares in found.shares.items():
        here = [row for row in found.rows if row.row.kind == kind and row.fold == fold]
        assert max(shares.values()) <= 1 / len(shares) + 1e-6, (kind, fold)
        if kind == "preference":
            weights = {row.row.id: row.row.extra["weight"] for row in here}
            bad = sum(weights[row.row.id] for row in here if row.row.data["chosen"][0]["content"].startswith("bad"))
            assert bad / sum(weights.values()) <= 2 / len(shares) + 1e-3, fold
    assert len(found.shares["preference", "train"]) == 10


@pytest.mark.simulation
async def test_votes_by_a_script_make_no_rows(talk: Talk) -> None:
    ada, script = await talk.person("ada"), await talk.person("script")
    answers = [(await talk.ask(ada, f"question {i}", f"answer {i}"))[0] for i in range(4)]
    at, key = now(), installation_key(talk.store.database.path.parent)
    async with talk.store.database.write() as session:
        for i in range(150):
            answer = await add_generation(session, key, again(talk, answers[0], f"again {i}"))
            session.add(
                schema.Rating(
                    source_id=f"s{i}",
                    rater_id=script,
                    kind="vote",
                    generation_id=answer.generation,
                    value="down",
                    platform="terminal",
                    created_at=at,
                )
            )
    await talk.rate(ada, "vote", answers[3], value="up")
    found = await rows(talk.store)
    assert [row.data["completion"][0]["content"] for row in found.of("labelled")] == ["answer 3"]
    assert found.dropped["labelled"] == {datasets.UNRELIABLE: 150}


@pytest.mark.played
async def test_a_vote_for_the_raters_own_words_does_not_count(talk: Talk) -> None:
    ada, bob = await talk.person("ada"), await talk.person("bob")
    (old,) = await talk.ask(ada, "q", "bad")
    await talk.rate(ada, "correction", old, text="my own  words")
    (parrot,) = await talk.ask(ada, "again", "my own words")
    await talk.rate(ada, "vote", parrot, value="up")
    found = await rows(talk.store)
    assert found.of("labelled") == []
    assert found.dropped["labelled"] == {datasets.SELF_VOTE: 1}
    await talk.rate(bob, "vote", parrot, value="up")  # another person's vote for the same text counts
    (row,) = (await rows(talk.store)).of("labelled")
    assert row.data["label"] is True
    one, two = await talk.ask(ada, "and again", "my own words", "other")
    await talk.rate(ada, "comparison", one, other=two, value="a")
    assert (await rows(talk.store)).dropped["preference"] == {datasets.SELF_VOTE: 1}
    await talk.rate(ada, "comparison", one, other=two, value="b")  # a vote against her own text is not a self-vote
    assert len((await rows(talk.store)).of("preference")) == 2


async def test_disputed_rows_weigh_less_and_name_their_backers(talk: Talk) -> None:
    people = [await talk.person(name) for name in ("ada", "bob", "eve")]
    (answer,) = await talk.ask(people[0], "q", "one")
    one, two = await talk.ask(people[0], "other", "one", "two")
    for person, vote, side in zip(people, ("up", "up", "down"), ("a", "b", "a"), strict=True):
        await talk.rate(person, "vote", answer, value=vote)
        await talk.rate(person, "comparison", one, other=two, value=side)
    found = await rows(talk.store)
    assert found.of("labelled")[0].extra["weight"] == 0.3333
    (preference,) = [row for row in found.rows if row.row.kind == "preference"]
    assert (preference.row.extra["weight"], len(preference.raters)) == (0.3333, 2)


# -- ties -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["tie", "both_bad"])
async def test_ties_are_kept_apart_from_preferences(talk: Talk, value: str) -> None:
    ada = await talk.person()
    one, two = await talk.ask(ada, "q", "one", "two")
    await talk.rate(ada, "comparison", two, other=one, value=value)
    found = await rows(talk.store)
    (tie,) = found.ties
    assert (tie.kind, tie.extra["tie"]) == ("preference", True)
    # The earlier answer first, whichever way it was shown.
    assert [tie.data[part][0]["content"] for part in ("chosen", "rejected")] == ["one", "two"]
    assert [row.row.kind for row in found.rows] == ["prompt"]
    assert all("tie" not in row.row.extra for row in found.rows)
    fold = found.rows[0].fold
    assert found.ties_of(fold) == [tie]
    assert found.ties_of("no such fold") == []
    assert found.dropped_counts() == {}


async def test_ties_follow_the_rules_of_consent_and_of_majorities(talk: Talk) -> None:
    ada, bob, eve = [await talk.person(n, agrees=a) for n, a in (("ada", True), ("bob", True), ("eve", False))]
    one, two = await talk.ask(ada, "q", "one", "two")
    await talk.rate(eve, "comparison", one, other=two, value="tie")
    found = await rows(talk.store)
    assert (found.ties, found.dropped_counts()) == ([], {"tie": {datasets.NO_CONSENT: 1}})
    await talk.rate(ada, "comparison", one, other=two, value="tie")
    await talk.rate(bob, "comparison", one, other=two, value="a")
    found = await rows(talk.store)
    assert found.ties == []
    assert found.dropped["tie"] == {datasets.NO_CONSENT: 1, datasets.CONTRADICTED: 1}
    assert found.of("preference")[0].extra["weight"] == 0.5


async def test_a_tie_in_a_file_is_not_imported_as_a_preference(store: Store) -> None:
    ask, one, two = ({"role": r, "content": t} for r, t in (("user", "q"), ("assistant", "1"), ("assistant", "2")))
    row = parse_row({"prompt": [ask], "chosen": [one], "rejected": [two], "tie": True}, line=7)
    with pytest.raises(BadInput, match="field 'tie': a tie teaches no preference"):
        await import_rows(store, [row])
    assert (await rows(store)).rows == []


# -- extra keys -----------------------------------------------------------------------------------------------------

ASK, YES, NO = ({"role": r, "content": t} for r, t in (("user", "q"), ("assistant", "yes"), ("assistant", "no")))


async def test_the_margin_of_a_graded_preference_is_kept(store: Store) -> None:
    graded = {"prompt": [ASK], "chosen": [YES], "rejected": [NO], "margin": 2}
    plain = {"prompt": [ASK], "chosen": [NO], "rejected": [YES]}
    await import_rows(store, [parse_row(graded), parse_row(plain)])
    margins = {
        row.data["chosen"][0]["content"]: row.extra.get("margin") for row in (await rows(store)).of("preference")
    }
    assert margins == {"yes": 2.0, "no": None}


@pytest.mark.parametrize("margin", [-1, "2", True, float("inf"), [1]])
def test_a_margin_is_a_number(margin: Any) -> None:
    with pytest.raises(BadInput, match="field 'margin': expected a number from 0 to 1000"):
        parse_row({"prompt": [ASK], "chosen": [YES], "rejected": [NO], "margin": margin})


@pytest.mark.played
async def test_an_outside_judge_sees_the_operators_own_rows_only(store: Store) -> None:
    many = [{"messages": [{"role": "user", "content": f"{i * 7919} {i} q{i}"}, YES], "id": str(i)} for i in range(60)]
    said = [{**row, "id": f"s{row['id']}", "platform": "web", "consent": True, "outside_judge": True} for row in many]
    for row in said:
        row["messages"] = [{"role": "user", "content": row["messages"][0]["content"] + " said"}, YES]
    await import_rows(store, [parse_row(row) for row in (*many, *said)])
    found = await rows(store)
    judged = {row.row.id for row in found.rows if row.row.extra.get("outside_judge")}
    assert judged == {r.row.id for r in found.rows if r.platform == "import" and r.fold in ("judge", "gate")}
    assert judged  # and nothing that somebody said elsewhere, whatever its file claims


@pytest.mark.parametrize(("asked", "covered"), [(None, False), (False, False), (True, True)])
async def test_feedback_reaches_an_outside_judge_only_with_separate_consent(
    talk: Talk, asked: bool | None, covered: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The bot does not ask for it: it says nothing about outside judges, so nothing is covered.
    monkeypatch.setattr("data.folds.draw", lambda *_: "gate")
    ada, bob = await talk.person("ada", agrees=None), await talk.person("bob", agrees=None)
    more = {} if asked is None else {"outside_judge": asked}
    await talk.store.set_consent(ada, True, **more)
    await talk.store.set_consent(bob, True, outside_judge=True)
    (answer,) = await talk.ask(bob, "bob's question", "one")
    await talk.rate(ada, "vote", answer, value="up")
    (other,) = await talk.ask(ada, "ada's question", "two")
    await talk.rate(bob, "vote", other, value="up")
    found = await rows(talk.store)
    assert [row.extra.get("outside_judge", False) for row in found.of("labelled")] == [covered] * 2
    await talk.store.set_consent(ada, True)  # a later yes to training only
    found = await rows(talk.store)
    assert [row.extra.get("outside_judge", False) for row in found.of("labelled")] == [False] * 2


# -- prompts --------------------------------------------------------------------------------------------------------


def test_prompts_come_from_rows_of_every_kind_each_once() -> None:
    system = {"role": "system", "content": "s"}
    extra = {"persona": "tutor", "language": "en", "weight": 0.5, "margin": 1}
    found = prompts_of(
        [
            parse_row({"messages": [system, ASK, YES], "id": "d", **extra}),
            parse_row({"prompt": [system, ASK], "chosen": [YES], "rejected": [NO], "id": "p", **extra}),
            parse_row({"prompt": [ASK], "completion": [YES], "label": False, "id": "l"}),
            parse_row({"messages": [ASK, YES, NO], "id": "two answers"}),
            parse_row({"prompt": [ASK, YES, ASK]}),
        ]
    )
    assert [(row.kind, row.data["prompt"]) for row in found] == [
        ("prompt", [system, ASK]),
        ("prompt", [ASK]),
        ("prompt", [ASK, YES, ASK]),
    ]
    assert found[0].extra == {"id": "d", "persona": "tutor", "language": "en"}
    assert found[1].id == "l"


async def test_the_prompts_of_a_fold_are_those_asked_and_those_imported(talk: Talk) -> None:
    ada = await talk.person()
    one, two = await talk.ask(ada, "asked twice", "one", "two")
    await talk.rate(ada, "comparison", one, other=two, value="a")
    own = {"messages": [{"role": "user", "content": "brought along"}, YES]}
    await import_rows(talk.store, [parse_row(own)])
    found = await rows(talk.store)
    assert sorted(row.data["prompt"][-1]["content"] for row in found.prompts()) == ["asked twice", "brought along"]
    assert {row.id for row in found.of("prompt")} < {row.id for row in found.prompts()}
    by_fold = [row.id for fold in ("train", "judge_train", "judge", "gate") for row in found.prompts(fold)]
    assert sorted(by_fold) == sorted(row.id for row in found.prompts())
