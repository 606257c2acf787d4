"""Who is served badly: the groups, when one is served worse, and what is said of them."""

import io
import json
from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import pytest
from rich.console import Console

from alignment.evaluation.evidence import LIVE, PAIRS
from alignment.evaluation.gate import decide
from alignment.evaluation.people import Standing, find
from alignment.evaluation.served import OTHERS, RATERS, TENTH, Served, against, served, served_words, worst_tenth
from alignment.evaluation.tables import served_table
from alignment.evaluation.winrate import Comparison
from data.manifests import plain, typed


def votes(rater: str, wins: int, losses: int, language: str = "en", persona: str = "assistant") -> list[Comparison]:
    """One person's votes, each on a prompt of its own."""
    return [
        Comparison(f"{rater}-{n}", float(n < wins), 9, 9, rater, (("language", language), ("persona", persona)))
        for n in range(wins + losses)
    ]


def crowd(people: int, wins: int, losses: int, language: str = "en", persona: str = "assistant") -> list[Comparison]:
    return [
        vote
        for person in range(people)
        for vote in votes(f"secret-{language}-{persona}-{person}", wins, losses, language, persona)
    ]


def shown(cast: Sequence[Comparison], standing: Standing | None = None) -> dict[tuple[str, str], float]:
    """The win rate of each group that is shown."""
    found = served(cast, LIVE, standing or Standing())
    assert found is not None
    return {(group.kind, group.name): group.win.mean for group in found.groups}


def test_each_language_has_the_win_rate_of_its_own_votes_one_voice_a_person() -> None:
    zh = [*votes("a", 40, 0, "zh"), *votes("b", 0, 10, "zh"), *votes("c", 0, 10, "zh")]
    found = shown([*crowd(4, 8, 2), *zh])
    assert list(found) == [("language", "zh"), ("language", "en")]  # all talk with one persona, on no server
    assert found["language", "en"] == pytest.approx(0.8)
    assert found["language", "zh"] == find(zh).mean
    assert found["language", "zh"] < 0.5  # with a voice a vote it would be 0.67


def test_groups_of_fewer_than_three_people_are_put_together_or_left_out() -> None:
    large = [*crowd(4, 8, 2), *crowd(3, 5, 5, "zh")]
    pair, one = crowd(2, 0, 10, "de"), crowd(1, 0, 10, "fr")
    assert set(shown([*large, *pair])) == {("language", "en"), ("language", "zh")}
    found = shown([*large, *pair, *one])
    assert set(found) - {(TENTH, "")} == {("language", "en"), ("language", "zh"), ("language", OTHERS)}
    few = served([*large, *pair], LIVE)
    assert few is not None
    assert few.hidden == 1
    assert "Groups of fewer than 3 people are not shown and do not decide: 1." in served_words(few)
    assert not against(few)


def test_one_group_beside_a_small_one_would_give_it_away_so_neither_is_shown() -> None:
    found = served([*crowd(4, 8, 2), *crowd(2, 0, 10, "zh")], LIVE)
    assert found == Served(LIVE, (), 1)
    assert "cannot be said yet" in served_words(found)[0]


def test_a_server_is_where_a_person_rates_most() -> None:
    cast = [*crowd(3, 8, 2), *crowd(3, 2, 8, "zh")]
    here = {vote.rater: 7 for vote in cast if "-zh-" in vote.rater}
    found = shown(cast, Standing(servers=here))
    assert found["server", "7"] == found["language", "zh"]
    assert found["server", ""] == found["language", "en"]
    groups = served(cast, LIVE, Standing(servers=here))
    assert groups is not None
    said = {group.whom for group in groups.groups}
    assert {"people of server 7", "people outside servers"} < said
    assert "Servers are numbered in the order in which Parley met them." in served_words(groups)


def test_votes_without_a_person_and_of_people_who_do_not_count_are_left_out() -> None:
    imported = [Comparison(f"p{n}", 0.0, 9, 9, "", (("language", "zh"),)) for n in range(40)]
    assert served(imported, PAIRS) is None
    cast = [*crowd(4, 8, 2), *crowd(3, 5, 5, "zh")]
    hostile = crowd(3, 0, 40, "zh", "hostile")
    silent = Standing(weights={vote.rater: 0.0 for vote in hostile})
    assert shown([*cast, *imported, *hostile], silent) == shown(cast)


def test_a_group_that_is_surely_served_worse_refuses_a_candidate_that_wins() -> None:
    cast = [*crowd(30, 11, 1), *crowd(6, 2, 18, "zh")]
    found = served(cast, LIVE)
    sure = decide(find(cast), LIVE, [], live=True)
    assert sure.promote
    verdict = decide(find(cast), LIVE, [], live=True, also=against(found))
    assert not verdict.promote
    assert not verdict.undecided  # so it does not go on trial either
    (reason,) = [reason for reason in verdict.reasons if "language zh" in reason]
    assert "people of the language zh fare worse than with the champion: it wins 10% (95 % interval" in reason
    assert "6 people, 120 votes), surely below 45%, even allowing for all 3 groups." in reason
    assert "python -m data raters" in reason


def test_a_group_that_is_a_little_worse_or_small_does_not_refuse_it() -> None:
    assert not against(served([*crowd(20, 9, 3), *crowd(6, 9, 11, "zh")], LIVE))
    assert not against(served([*crowd(20, 9, 3), *crowd(3, 1, 2, "zh")], LIVE))
    assert against(None) == []


def test_the_more_groups_there_are_the_surer_each_must_be() -> None:
    few = served([*crowd(6, 9, 3), *crowd(6, 4, 8, "zh")], LIVE)
    more = [*crowd(6, 9, 3, persona="tutor"), *crowd(6, 4, 8, "zh", "writer"), *crowd(6, 6, 6, "de", "support")]
    many = served(more, LIVE)
    assert few is not None
    assert many is not None
    ends = [next(g.most for g in found.groups if g.name == "zh") for found in (few, many)]
    assert ends[0] < ends[1]
    assert len(few.groups) < len(many.groups)


def test_a_tenth_is_at_least_three_people_of_ten_and_holds_the_worst_served() -> None:
    good = [vote for n in range(RATERS - 1) for vote in votes(f"good{n}", 24, 8)]
    assert worst_tenth(good) == []
    worst = [vote for n in range(3) for vote in votes(f"bad{n}", 2, 30)]
    measured = worst_tenth([*good, *worst])
    assert {vote.rater.partition("\n")[0] for vote in measured} == {"bad0", "bad1", "bad2"}
    assert {vote.prompt for vote in measured} == {vote.prompt for vote in worst}
    found = served([*good, *worst], PAIRS)
    assert found is not None
    (group,) = found.groups
    assert (group.kind, group.people, group.votes, group.by_few) == (TENTH, 3, 96, True)


def test_three_people_stop_no_candidate_whatever_they_say() -> None:
    for language in ("en", "zh"):  # by the tenth, or by a language of their own
        cast = [*crowd(17, 12, 4), *crowd(3, 0, 400, language, "hostile")]
        found = served(cast, LIVE)
        assert found is not None
        assert against(found) == []
        few = [group for group in found.groups if group.by_few]
        assert few
        said = " ".join(served_words(found))
        assert f"Surely below 45% as well: {few[0].whom}, with 0%" in said
        assert "But three people cannot stop a candidate alone" in said
    # Not with honest people of their language either, who are served well, ...
    assert not against(served([*crowd(17, 12, 4), *crowd(3, 0, 40, "zh"), *crowd(3, 12, 4, "zh", "tutor")], LIVE))
    # ... but with others of whom the same is true, or if the operator vouches for them.
    assert against(served([*crowd(17, 12, 4), *crowd(3, 0, 40, "zh"), *crowd(3, 4, 12, "zh", "tutor")], LIVE))
    vouched = Standing(vouched={vote.rater for vote in cast if "hostile" in vote.rater})
    assert "people of the language zh fare worse" in " ".join(against(served(cast, LIVE, vouched)))


def test_a_tenth_that_is_worse_without_three_of_it_refuses_a_candidate() -> None:
    found = served([*crowd(50, 12, 4), *crowd(6, 2, 30, persona="x")], LIVE)
    assert found is not None
    reason = against(found)[-1]
    assert reason.startswith("With the candidate, the worst-served tenth of raters fare worse than with the champion")


def test_a_persona_may_be_called_others_and_have_marks_in_its_name() -> None:
    cast = [*crowd(3, 8, 2, persona="a [/b] c"), *crowd(3, 5, 5, persona=OTHERS), *crowd(1, 0, 10, persona="rare")]
    found = served(cast, LIVE)
    assert found is not None
    groups = {group.name: (group.people, group.votes) for group in found.groups}
    assert groups == {"a [/b] c": (3, 30), OTHERS: (4, 40)}  # nobody's votes are lost
    printed = io.StringIO()
    Console(file=printed, width=120).print(served_table(found))
    assert "persona a [/b] c" in printed.getvalue()


@pytest.mark.simulation
def test_the_worst_tenth_of_equal_people_looks_like_all_others() -> None:
    draw = np.random.default_rng(1)
    means, worse = [], 0
    for _ in range(150):
        cast = [
            Comparison(f"{person}-{n}", float(draw.random() < 0.5), 9, 9, f"r{person}")
            for person in range(20)
            for n in range(12)
        ]
        means.append(np.mean([vote.score for vote in worst_tenth(cast)]))
        worse += bool(against(served(cast, LIVE)))
    # Chosen and measured on the same votes, the worst three would win about 0.3.
    assert np.mean(means) == pytest.approx(0.5, abs=0.03)
    assert worse / 150 < 0.03


def test_nothing_that_is_kept_or_said_names_a_person_and_a_manifest_reads_it_back() -> None:
    found = served([*crowd(20, 9, 3), *crowd(6, 2, 18, "zh")], LIVE)
    assert found is not None
    kept = json.dumps(plain(found))
    assert "secret" not in kept + " ".join([*served_words(found), *against(found)]) + str(asdict(found))
    assert typed(json.loads(kept), Served) == found


def test_the_words_say_what_the_figures_mean_and_who_is_worst_off() -> None:
    fine = served([*crowd(20, 9, 3), *crowd(6, 6, 6, "zh")], LIVE)
    assert fine is not None
    said = " ".join(served_words(fine))
    assert "By people, live, a group's win rate is the share of its votes that go to the candidate" in said
    assert "measured on the other half" in said
    assert "No group is surely served worse. Lowest" in said
    bad = served([*crowd(20, 9, 3), *crowd(6, 2, 18, "zh")], LIVE)
    assert bad is not None
    assert "Served worse: people of the language zh." in " ".join(served_words(bad))
