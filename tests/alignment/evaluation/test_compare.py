"""A whole evaluation, with models and judges that are made up."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import pytest

from alignment.evaluation import compare as module
from alignment.evaluation.compare import Evaluation, EvaluationRows, Options
from alignment.evaluation.compare import compare as compared
from alignment.evaluation.evidence import LIVE, PAIRS
from alignment.evaluation.gate import decide
from alignment.evaluation.judges import Qualification, RewardJudge
from alignment.evaluation.llm_judge import JudgeSettings
from alignment.evaluation.subjects import Subject, artefact_sha256, merged_sha256
from alignment.evaluation.suites import Measured, Suite
from alignment.evaluation.winrate import Comparison
from alignment.serving.engine import Completion
from data.errors import BadInput, ParleyError
from data.merged_files import MergedManifest
from data.rows import Row
from tests.alignment.evaluation.test_judges import pairs
from tests.fakes.base import make_base
from tests.fakes.judge import FakeJudge, parts

CHAMPION, CANDIDATE = Subject("release 1", "base"), Subject("release 2", "base")


@dataclass
class Made:
    """A model that gives one kind of answer, and favours answers that contain a word."""

    says: Callable[[str], str]
    leans: float = 0.0
    log: list[str] = field(default_factory=list)

    def draw(self, prompts, seeds, *, max_tokens) -> list[Completion | None]:
        self.log.append("draw")
        assert len(set(seeds)) == len(prompts)
        texts = [self.says(prompt[-1]["content"]) for prompt in prompts]
        return [Completion(text, "stop") if text != "too long" else None for text in texts]

    def answers(self, prompts, *, max_tokens) -> list[Completion]:
        return [Completion(self.says(prompt[-1]["content"]), "stop") for prompt in prompts]

    def logprobs(self, prompts, completions) -> list[tuple[float, int]]:
        return [(-10.0 + self.leans * ("kind" in text), 5) for text in completions]

    def text_logprobs(self, texts) -> list[tuple[float, int]]:
        return [(-1.0, 1) for _ in texts]


def opening(champion: Made, candidate: Made) -> Callable:
    @contextmanager
    def opened(subject: Subject, answered: Callable[[], None], *, serve: bool = True) -> Iterator[Made]:
        made = {CHAMPION.name: champion, CANDIDATE.name: candidate}[subject.name]
        made.log.append(f"open, served: {serve}")
        yield made

    return opened


def prompts(count: int, **extra: object) -> list[Row]:
    return [
        Row("prompt", {"prompt": [{"role": "user", "content": f"Question {n}?"}]}, {"id": f"p{n}", **extra})
        for n in range(count)
    ]


def kind_wins(question: str) -> str:
    first, second = parts(question)
    return "A" if "kind" in first else "B" if "kind" in second else "tie"


NOTHING = Options()
GOOD, BAD = Made(lambda q: f"kind answer to {q}"), Made(lambda q: f"an answer of some sort to {q}")


def compare(
    rows: EvaluationRows, options: Options = NOTHING, champion: Made = BAD, candidate: Made = GOOD, look=None
) -> tuple[Evaluation, list[str]]:
    messages: list[str] = []
    opened = opening(champion, candidate)
    found = compared(CHAMPION, CANDIDATE, rows, options, messages.append, look=look, opening=opened)
    return found, messages


@pytest.mark.played
def test_a_judge_that_counts_decides_and_is_asked_about_the_candidates_answers() -> None:
    rows = EvaluationRows(prompts=prompts(30), preferences=pairs(30), judge_pairs=pairs(40))
    with FakeJudge(kind_wins) as fake:
        found, _ = compare(rows, Options(llm_judge=JudgeSettings(fake.url, "m")))
    assert found.decisive is not None
    assert found.decisive.name == "LLM judge"
    assert found.decisive.win is not None
    assert (found.decisive.win.interval.mean, found.decisive.win.prompts) == (1.0, 30)
    verdict = decide(found.decisive.finding, found.decisive.name, found.suites)
    assert verdict.promote


def test_equal_answers_are_ties_and_nobody_is_asked() -> None:
    rows = EvaluationRows(prompts=prompts(30), judge_pairs=pairs(40))
    with FakeJudge(kind_wins) as fake:
        found, _ = compare(rows, Options(llm_judge=JudgeSettings(fake.url, "m")), GOOD, GOOD)
        assert len(fake.questions) == 80  # only the pairs of its qualification
    assert found.decisive is not None
    assert found.decisive.win is not None
    assert (found.decisive.win.ties, found.decisive.win.interval.mean) == (30, 0.5)
    assert found.decisive.win.interval.low < 0.5 < found.decisive.win.interval.high


def test_the_lengths_of_answers_to_enough_prompts_are_told() -> None:
    short, long = Made(lambda _: "yes"), Made(lambda _: "yes, sure")
    found, _ = compare(EvaluationRows(prompts=prompts(20)), Options(questions=None), short, long)
    assert found.lengths == (3.0, 9.0)
    few, _ = compare(EvaluationRows(prompts=prompts(19)), Options(questions=None), short, long)
    assert few.lengths is None


def test_a_judge_that_disagrees_with_people_does_not_count() -> None:
    rows = EvaluationRows(prompts=prompts(30), preferences=pairs(30), judge_pairs=pairs(40, good=0.4))
    leaning = Made(BAD.says, leans=-1.0)
    with FakeJudge(kind_wins) as fake:
        found, _ = compare(rows, Options(llm_judge=JudgeSettings(fake.url, "m")), BAD, leaning)
    judge = found.sources[0]
    assert (judge.name, judge.counts, judge.win) == ("LLM judge", False, None)
    assert found.decisive is not None
    assert found.decisive.name == PAIRS
    assert found.decisive.win is not None
    assert found.decisive.win.interval.mean == 0.0
    assert "weakest" in found.decisive.sentence


def test_a_judge_that_fails_stops_nothing() -> None:
    rows = EvaluationRows(prompts=prompts(30), preferences=pairs(30), judge_pairs=pairs(40))
    with FakeJudge(lambda _: 401) as fake:
        found, messages = compare(rows, Options(llm_judge=JudgeSettings(fake.url, "m", "secret-key")))
    assert found.decisive is not None
    assert found.decisive.name == PAIRS
    assert "does not count: The LLM judge at 127.0.0.1 refused with status 401" in messages[0]
    assert "secret-key" not in json.dumps(asdict(found))


@pytest.mark.tiny
def test_of_two_judges_the_one_that_agrees_with_people_better_decides(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr("alignment.rewards.model.read_facts", lambda _: {})
    monkeypatch.setattr(RewardJudge, "compare", _by_kindness)
    with FakeJudge(lambda q: "tie" if "Question 1" in q else kind_wins(q)) as fake:
        rows = EvaluationRows(prompts=prompts(30), judge_pairs=pairs(40), judge_model=tmp_path)
        found, _ = compare(rows, Options(llm_judge=JudgeSettings(fake.url, "m")))
    assert [source.counts for source in found.sources[:2]] == [True, True]
    assert found.decisive is not None
    assert found.decisive.name == "reward model"


def _by_kindness(self, prompts, first, second) -> list[float]:
    return [0.5 + 0.5 * (("kind" in a) - ("kind" in b)) for a, b in zip(first, second, strict=True)]


def live(count: int, raters: int) -> list[Comparison]:
    return [Comparison(f"p{n}", 1.0, 10, 10, f"r{n % raters}") for n in range(count)]


@pytest.mark.parametrize(("comparisons", "source"), [(live(20, 3), LIVE), (live(19, 3), PAIRS), (live(40, 2), PAIRS)])
def test_live_comparisons_of_enough_people_outrank_pairs(comparisons: list[Comparison], source: str) -> None:
    found, _ = compare(EvaluationRows(preferences=pairs(30), live=comparisons))
    assert found.decisive is not None
    assert found.decisive.name == source


@pytest.mark.simulation
def test_live_comparisons_outrank_judges_and_a_judge_that_counts_is_counted_in() -> None:
    people = [Comparison(f"p{n}", float(n % 3 > 0), 10, 10, f"r{n % 7}") for n in range(60)]
    shown = [(row, "an answer", "a kind answer") for row in prompts(300)]
    rows = EvaluationRows(prompts=prompts(30), judge_pairs=pairs(40, good=0.8), live=people, shown=shown)
    with FakeJudge(kind_wins) as fake:
        found, messages = compare(rows, Options(llm_judge=JudgeSettings(fake.url, "m")))
    assert found.decisive is not None
    assert found.decisive.name == LIVE
    assert found.decisive.finding is not None
    assert found.decisive.finding.judge > 0
    assert "The LLM judge was counted in" in found.decisive.sentence
    assert "The LLM judge reads the 300 pairs of answers that people could compare." in messages


@pytest.mark.played
def test_a_judge_that_does_not_count_or_may_not_read_is_not_counted_in() -> None:
    for good, outside in ((0.5, False), (0.8, True)):
        rows = EvaluationRows(
            judge_pairs=pairs(40, good=good, outside_judge=True),
            live=live(60, 6),
            shown=[(row, "an answer", "a kind answer") for row in prompts(300)],
        )
        with FakeJudge(kind_wins) as fake, pytest.MonkeyPatch.context() as patch:
            patch.setattr(JudgeSettings, "outside", outside)
            patch.setenv("PARLEY_JUDGE_OUTSIDE", "1")
            found, _ = compare(rows, Options(llm_judge=JudgeSettings(fake.url, "m")))
            assert len(fake.questions) == 80
        assert found.decisive is not None
        assert found.decisive.finding is not None
        assert found.decisive.finding.judge == 0


def test_held_out_pairs_are_clustered_by_the_people_behind_them() -> None:
    """One account with many pairs of its own has one voice among the others."""
    mine, others = pairs(200, good=1.0), pairs(60, good=0.0)
    rows = [
        Row(row.kind, {**row.data, "prompt": [{"role": "user", "content": f"other {n}"}]}, {"id": f"o{n}"})
        for n, row in enumerate(others)
    ]
    raters = {row.id: ("evil",) for row in mine} | {row.id: (f"r{n % 20}",) for n, row in enumerate(rows)}
    held = EvaluationRows(preferences=[*mine, *rows], raters=raters)
    found, _ = compare(held, candidate=Made(GOOD.says, leans=1.0))
    assert found.decisive is not None
    assert found.decisive.win is not None
    assert found.decisive.win.interval.mean <= 1 / 21 + 1e-9
    assert "evil" not in json.dumps(asdict(found))


def test_held_out_pairs_and_live_comparisons_say_which_people_are_served_badly() -> None:
    """The pairs of those who talk in Chinese go the other way."""
    rows = [
        *(
            Row(row.kind, row.data, {**row.extra, "id": f"en{n}", "language": "en"})
            for n, row in enumerate(pairs(30))
        ),
        *(
            Row(row.kind, row.data, {**row.extra, "id": f"zh{n}", "language": "zh"})
            for n, row in enumerate(pairs(30, good=0.0))
        ),
    ]
    raters = {row.id: (f"{row.id[:2]}-rater-{n % 6}",) for n, row in enumerate(rows)}
    held = EvaluationRows(preferences=rows, raters=raters)
    found, _ = compare(held, candidate=Made(GOOD.says, leans=1.0))
    assert found.served is not None
    assert (found.served.source, found.served.hidden) == (PAIRS, 0)
    by_name = {group.name: (group.win.mean, group.people, group.votes, group.worse) for group in found.served.groups}
    assert by_name["en"] == (1.0, 6, 30, False)
    assert by_name["zh"] == (0.0, 6, 30, True)
    assert "rater" not in json.dumps(asdict(found))
    cast = live(40, 4)
    both = [
        replace(vote, rater=f"{language}{vote.rater}", groups=(("language", language),))
        for language in ("en", "de")
        for vote in cast
    ]
    found, _ = compare(replace(held, live=both))
    assert found.served is not None
    assert {group.name for group in found.served.groups} == {"en", "de"}
    assert found.served.source == LIVE


def test_a_few_pairs_decide_nothing() -> None:
    found, _ = compare(EvaluationRows(preferences=pairs(19), prompts=prompts(3)))
    assert found.decisive is None
    assert not decide(None, "nobody", ()).promote


def test_an_outside_judge_gets_only_what_consent_covers(monkeypatch) -> None:
    monkeypatch.setattr(JudgeSettings, "outside", True)
    monkeypatch.setenv("PARLEY_JUDGE_OUTSIDE", "1")
    rows = EvaluationRows(
        prompts=[*prompts(25, outside_judge=True), *(_renamed(row) for row in prompts(10))],
        judge_pairs=[*pairs(30, outside_judge=True), *(_renamed(row) for row in pairs(5))],
    )
    with FakeJudge(kind_wins) as fake:
        found, _ = compare(rows, Options(llm_judge=JudgeSettings(fake.url, "m")))
        assert not [question for question in fake.questions if "secret" in question]
        assert len(fake.questions) == 2 * (25 + 30)
    assert found.prompts == 35
    assert "5 pairs were held back" in found.sources[0].sentence
    assert "10 prompts were held back" in found.sources[0].sentence


def _renamed(row: Row) -> Row:
    return Row(row.kind, {**row.data, "prompt": [{"role": "user", "content": f"secret {row.id}"}]}, row.extra)


def test_prompts_that_the_engine_refuses_are_left_out_and_counted() -> None:
    shy = Made(lambda q: "too long" if "3" in q else "fine")
    found, _ = compare(EvaluationRows(prompts=prompts(30)), Options(questions=None), candidate=shy)
    assert found.prompts == 27  # without 3, 13 and 23
    assert any(note.startswith("3 prompts were left out") for note in found.notes)


def test_answers_are_drawn_only_for_judges_that_count_or_people_who_look() -> None:
    rows = EvaluationRows(prompts=prompts(30), judge_pairs=pairs(40))
    found, messages = compare(rows)
    assert found.prompts == 0
    assert any("so 30 of 30 questions are not asked" in message for message in messages)
    assert compare(rows, Options(questions=4))[0].prompts == 4
    with FakeJudge(kind_wins) as fake:
        assert compare(rows, Options(llm_judge=JudgeSettings(fake.url, "m"), questions=4))[0].prompts == 30


def test_no_prompts_and_no_suites_need_no_engine() -> None:
    champion, candidate = Made(GOOD.says), Made(GOOD.says)
    compare(EvaluationRows(preferences=pairs(2)), champion=champion, candidate=candidate)
    assert champion.log == candidate.log == ["open, served: False"]


def test_models_of_two_bases_are_not_compared() -> None:
    with pytest.raises(BadInput, match="belongs to the base model"):
        compared(CHAMPION, Subject("x", "other"), EvaluationRows(), Options(), print, opening=opening(GOOD, BAD))


def test_a_broken_model_is_reported() -> None:
    with pytest.raises(ParleyError, match="release 2 are not finite"):
        compare(EvaluationRows(preferences=pairs(3)), candidate=Made(GOOD.says, leans=float("nan")))


def test_an_evaluation_holds_no_texts() -> None:
    seen: list = []
    rows = EvaluationRows(prompts=prompts(3), preferences=pairs(30))
    found, messages = compare(rows, Options(questions=None), look=seen.extend)
    assert [sample.question for sample in seen] == [f"Question {n}?" for n in range(3)]
    assert seen[0].after == "kind answer to Question 0?"
    assert not any("Question" in text or "kind" in text for text in (json.dumps(asdict(found)), *messages))


def counting(log: list[int], name: str = "made") -> Suite:
    def measure(items: Sequence[int], model: Made) -> Measured:
        log.append(len(items))
        texts = model.answers([[{"role": "user", "content": str(item)}] for item in items], max_tokens=8)
        return Measured(tuple(float("kind" in text.text) for text in texts), {"share": 0.5})

    return Suite(name, "Made up", "points", 0.1, (1, 2, 3), measure, ("1 item was left out.",))


@pytest.fixture
def known(monkeypatch) -> None:
    monkeypatch.setattr(module, "_artefact", lambda subject: subject.name)
    monkeypatch.setattr("alignment.evaluation.suites.suite.asdict", lambda item: item)


@pytest.mark.usefixtures("known")
def test_suites_run_on_both_and_are_measured_once_for_each_artefact(tmp_path) -> None:
    log: list[int] = []
    options = Options(suites=[counting(log)], cache=tmp_path / "new" / "suites.json")
    first, _ = compare(EvaluationRows(), options)
    assert (first.suites[0].champion, first.suites[0].candidate) == ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    assert first.notes == ("1 item was left out.",)
    assert log == [3, 3]
    again, messages = compare(EvaluationRows(), options)
    assert again.suites == first.suites
    assert log == [3, 3]
    assert "measured before" in messages[0]
    # Another suite, or none kept, is measured.
    compare(EvaluationRows(), Options(suites=[counting(log, "other")], cache=options.cache))
    (tmp_path / "new" / "suites.json").write_text("{", encoding="utf-8")
    compare(EvaluationRows(), options)
    assert log == [3] * 6
    assert (tmp_path / "new" / "suites.json").stat().st_mode & 0o77 == 0


def test_an_artefact_is_its_base_its_adapter_and_how_it_is_asked(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr("alignment.models.locate", lambda name: name)
    monkeypatch.setattr("alignment.models.base_sha256", lambda base: f"hash of {base}")
    gguf, other = tmp_path / "a.gguf", tmp_path / "b.gguf"
    gguf.write_bytes(b"one")
    other.write_bytes(b"two")
    subjects = [Subject("x", "base"), Subject("x", "base", gguf=gguf), Subject("x", "base", gguf=other)]
    subjects.append(Subject("x", "other base"))
    assert len({module._artefact(subject) for subject in subjects}) == 4
    assert module._artefact(Subject("another name", "base")) == module._artefact(subjects[0])


def test_scores_of_a_merged_release_are_not_those_of_its_adapter(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("PARLEY_BASES", str(tmp_path / "bases"))
    toy = make_base(tmp_path / "bases", served="merged", gguf_sha256="ab" * 32)
    gguf = tmp_path / "0001" / "adapter.gguf"
    (gguf.parent / "merged").mkdir(parents=True)
    gguf.write_bytes(b"one")
    found = Subject("x", "toy", gguf=gguf)
    monkeypatch.setattr("alignment.models.locate", lambda name: name)
    monkeypatch.setattr("alignment.models.base_sha256", lambda base: f"hash of {base}")
    apart = [(merged_sha256(found), artefact_sha256(found))]
    for made in ("cd" * 32, "ef" * 32):
        manifest = MergedManifest(sha256=made, adapter_gguf_sha256="", base_sha256="", quantisation="q8_0")
        manifest.save(gguf.parent / "merged" / "manifest.json")
        apart.append((merged_sha256(found), artefact_sha256(found)))
    assert [merged for merged, _ in apart] == [None, "cd" * 32, "ef" * 32]
    assert len({whole for _, whole in apart}) == 3
    replace(toy, served="lora").save(tmp_path / "bases" / "toy" / "base.json")
    assert (merged_sha256(found), artefact_sha256(found)) == apart[0]


@pytest.mark.played
def test_qualifications_are_plain_values() -> None:
    rows = EvaluationRows(prompts=prompts(30), judge_pairs=pairs(40))
    with FakeJudge(kind_wins) as fake:
        found, _ = compare(rows, Options(llm_judge=JudgeSettings(fake.url, "m")))
    assert isinstance(found.sources[0].qualification, Qualification)
    assert json.loads(json.dumps(asdict(found)))["sources"][0]["qualification"]["pairs"] == 40


def test_the_path_of_a_cache_may_be_new(tmp_path: Path) -> None:
    assert module._read_cache(tmp_path / "none.json") == {}
    assert module._read_cache(None) == {}
