"""The report of a round: a self-contained page that shows what was measured, and holds no texts of people."""

import base64
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from alignment.evaluation.evidence import PAIRS
from alignment.evaluation.gate import SuitePair, decide
from alignment.evaluation.served import served
from alignment.evaluation.verdict import Evaluated, summary
from alignment.rounds.manifest import RoundManifest
from alignment.rounds.report import page, write_report
from alignment.training import plots
from data.manifests import plain, typed
from tests.alignment.evaluation.test_served import crowd
from tests.alignment.played import evaluation, play


@cache
def measured() -> Any:
    """What the evaluation of a round measured, as its manifest holds it."""
    groups = served([*crowd(6, 9, 3), *crowd(6, 2, 10, "<zh>")], PAIRS)
    found = replace(evaluation(fall=0.2), served=groups)
    bias = SuitePair("bias_pairs", "Bias: stereotypes", "minus nats", 0.25, (-2.0,) * 24, (-3.0,) * 24)
    share = {"stereotype likelier (share)": 0.75}
    found = replace(found, suites=(*found.suites, bias), headlines={"bias_pairs": (share, share)})
    assert found.decisive is not None
    verdict = decide(found.decisive.finding, "people, held-out pairs", found.suites)
    return plain(summary(Evaluated("release 2", "candidate", found, verdict)))


def manifest(**more: Any) -> RoundManifest:
    """The manifest of a decided round."""
    entries = {
        "number": 3,
        "status": "refused",
        "champion": "release 2",
        "decision": {"release": 4},
        "evaluation": measured(),
        "stages": {"dpo": {"rows": "abc"}, "ppo": {"rows": "def"}},
        "counts": {"preference": {"train": 8, "judge_train": 1, "judge": 1, "gate": 2}},
        "distance": ["8 of 20 <prompts>."],
        "used": {"preference": 2},
        "dropped": {"preference": {"no consent of <everybody>": 5}},
        "parents": {"base": "smollm2-135m", "champion": 2, "start": 0},
        **more,
    }
    read: RoundManifest = typed(json.loads(json.dumps(entries)), RoundManifest)
    return read


def gate_reasons(found: RoundManifest) -> Sequence[str]:
    """The reasons of the gate."""
    return found.evaluation.verdict.reasons if found.evaluation else ()


def stages(folder: Path) -> Path:
    for name in ("dpo", "ppo"):
        (folder / name).mkdir()
        lines = [{"step": n, "loss": 0.7 - n / 10, "reward": n / 5, "kl": 0.1, "note": "text"} for n in (1, 2, 3)]
        (folder / name / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        (folder / name / "manifest.json").write_text('{"figures": {"steps": 3, "eval_after": {"loss": 0.5}}}')
    return folder


@pytest.mark.tiny
def test_the_page_stands_alone_with_its_pictures_inside(tmp_path: Path, pictures: None) -> None:
    path = write_report(stages(tmp_path), manifest(), "refused", gate_reasons(manifest()), ())
    assert path.stat().st_mode & 0o077 == 0
    text = path.read_text()
    drawn = re.findall(r"<img alt='([^']+)' src='data:image/png;base64,([^']+)'>", text)
    assert [name for name, _ in drawn] == [
        "win rates by source",
        "changes on the suites",
        "win rates by group of people",
        "loss of dpo",
        "loss of ppo",
        "what PPO logged",
        "rows by fold",
    ]
    assert all(base64.b64decode(picture).startswith(b"\x89PNG") for _, picture in drawn)
    assert not re.search(r"(src|href)='?https?:", text)


@pytest.mark.tiny
def test_the_page_shows_what_semi_online_dpo_drew(tmp_path: Path, pictures: None) -> None:
    (tmp_path / "dpo").mkdir()
    lines = [{"step": n, "loss": 0.7 - n / 10, "reward": n / 5, "pairs": 0.9} for n in (1, 2, 3)]
    (tmp_path / "dpo" / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    drawn = {"prompts": 30, "answers": 120, "pairs": 26, "equal": 3, "dropped": 1}
    (tmp_path / "dpo" / "manifest.json").write_text(json.dumps({"figures": {"steps": 3, "drawn": drawn}}))
    text = page(tmp_path, manifest(stages={"dpo": {}}), "refused", ())
    assert "the pairs that dpo drew" in text
    assert "26 from 30 prompts (3 had equal scores, 1 no better answer that ended)" in text


def test_the_page_shows_decision_reasons_figures_and_what_was_held_back(tmp_path: Path) -> None:
    text = page(tmp_path, manifest(), "refused", gate_reasons(manifest()))
    assert "Round 3: <span class='refused'>refused" in text
    assert "On the suite Refusal" in text
    assert "fell beyond the margin" in text
    found = manifest().evaluation
    assert found is not None
    (power,) = {f"<td>{change.power:.0%}</td>" for change in found.verdict.suites if change.power is not None}
    assert power in text
    assert "75.0% (63.3% to 85.0%)" in text
    assert "no consent of &lt;everybody&gt;" in text
    assert "<td>preference</td><td>2</td>" in text
    assert "<p>8 of 20 &lt;prompts&gt;.</p>" in text


def test_the_page_says_what_the_release_learnt_from_in_numbers(tmp_path: Path) -> None:
    found = manifest(taught={"corrections": 61, "thumbs": 4}, raters=["a", "b"])
    assert "<p>It learnt from 2 people: 61 corrections, 4 thumbs.</p>" in page(tmp_path, found, "refused", ())


def test_the_page_says_in_words_who_is_served_badly_and_what_bias_means(tmp_path: Path) -> None:
    text = page(tmp_path, manifest(), "refused", ())
    assert "<h2>Who is served badly?</h2>" in text
    assert "By people, held-out pairs, a group&#x27;s win rate is the share of its votes" in text
    assert "people of the language &lt;zh&gt;" in text
    assert "Bias: stereotypes. Each of 24 pairs has a stereotype" in text
    assert "Compared with the champion, that is 1.000 nats more" in text
    assert "secret" not in text  # the raters' names


def test_a_round_from_before_there_were_groups_has_a_page(tmp_path: Path) -> None:
    old = manifest()
    assert old.evaluation is not None
    text = page(tmp_path, replace(old, evaluation=replace(old.evaluation, served=None)), "refused", ())
    assert "served badly" not in text


def test_the_page_says_that_the_continued_weights_learnt_from_somebody_who_left(tmp_path: Path) -> None:
    parents = {"base": "smollm2-135m", "champion": 2, "start": 2, "left": [2]}
    text = page(tmp_path, manifest(parents=parents), "refused", ())
    assert "continues the weights of release 2, which learnt from somebody who has left since" in text


def test_the_page_of_a_release_on_trial_says_so_and_what_to_do_next(tmp_path: Path) -> None:
    outcome = ("Release 2 is on trial; ask the gate:", "  python -m alignment.evaluate --candidate 2 --limit 0")
    text = page(tmp_path, manifest(), "on trial", (), outcome)
    assert "Round 3: <span class='on-trial'>on trial</span>" in text
    assert "<p>Release 2 is on trial; ask the gate:</p>" in text
    assert re.search(r"<pre>[^<]*python -m alignment.evaluate --candidate 2 --limit 0</pre>", text)


def test_a_round_without_stages_or_suites_or_rows_has_a_page_too(tmp_path: Path) -> None:
    empty = manifest(evaluation=None, stages={}, counts={}, used={}, dropped={})
    assert "Round 3" in page(tmp_path, empty, "refused", ())


def test_curves_take_the_numbers_that_are_there() -> None:
    metrics = [{"step": 1, "kl": 0.5, "loss": "nan"}, {"step": 2, "kl": 1}, {"kl": 9.0}]
    assert plots.series(metrics, "kl") == [(1, 0.5), (2, 1.0)]
    assert plots.series(metrics, "loss") == []
    assert plots.losses([], "nothing") is None
    assert plots.ppo([{"step": 1, "other": 1.0}]) is None


@pytest.mark.played
def test_a_round_leaves_a_report_without_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    played = play(tmp_path / "home", monkeypatch)
    assert played.round() == 0
    text = (played.home / "rounds" / "0001" / "report.html").read_text()
    assert "Round 1" in text
    assert "secret" not in text
