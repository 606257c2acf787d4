"""A round whose stages, artefacts and evaluation are played; everything around them is real, and takes a second."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import alignment.evaluation.verdict
import alignment.round
import alignment.rounds.candidate
import alignment.rounds.one_round
import alignment.rounds.steps
from alignment.evaluation.compare import Evaluation
from alignment.evaluation.evidence import PAIRS, Evidence
from alignment.evaluation.gate import SuitePair
from alignment.evaluation.likelihood import Scores
from alignment.evaluation.people import find
from alignment.evaluation.winrate import Comparison, win_rate
from data.bases import BUNDLED, DEFAULT_BASE
from data.collected import Collected, FeedbackRow
from data.rows import Row, read_rows

FOLDS = ("train", "judge_train", "judge", "gate")


def row(kind: str, name: str, *, label: bool = True) -> Row:
    """A row whose texts contain its name and are recognised anywhere."""
    prompt = [{"role": "user", "content": f"secret question {name}"}]
    good, bad = ([{"role": "assistant", "content": f"secret {what} {name}"}] for what in ("good", "bad"))
    data: dict[str, Any] = {
        "demonstration": {"messages": [*prompt, *good]},
        "preference": {"prompt": prompt, "chosen": good, "rejected": bad},
        "labelled": {"prompt": prompt, "completion": good, "label": label},
        "prompt": {"prompt": prompt},
    }[kind]
    return Row(kind, data, {"id": name, "source": "feedback", "weight": 1.0})


def rows(kind: str, fold: str, count: int) -> list[FeedbackRow]:
    """Distinct rows of a kind and fold; of thumbs every second is down."""
    return [
        FeedbackRow(row(kind, f"{kind}-{fold}-{n}", label=n % 2 == 0), fold, "terminal", ("rater-1",))
        for n in range(count)
    ]


def collected(counts: dict[str, int] | None = None, more: Iterable[FeedbackRow] = ()) -> Collected:
    """Rows of all folds; by default demonstrations and preferences."""
    counts = {"demonstration": 6, "preference": 8} if counts is None else counts
    found = [each for kind, count in counts.items() for fold in FOLDS for each in rows(kind, fold, count)]
    return Collected(rows=[*found, *more])


@cache
def evaluation(*, wins: int = 45, losses: int = 15, counts: bool = True, fall: float = 0.0) -> Evaluation:
    """What was measured: prompts won and lost, and a suite on which the candidate fell by `fall`."""
    compared = [Comparison(f"p{n}", float(n < wins), 100, 90) for n in range(wins + losses)]
    win = win_rate(compared)
    finding = find(compared) if counts else None
    source = Evidence(PAIRS, counts, "By pairs the candidate wins some.", win if counts else None, finding=finding)
    suite = SuitePair("refusal", "Refusal", "share", 0.05, (0.5,) * 20, (0.5 - fall,) * 20)
    scores = Scores((0.1, 0.2), (0.01, 0.02), 2.0, 100)
    return Evaluation((source,), source if counts else None, (suite,), {"refusal": ({}, {})}, (scores, scores), 60)


@dataclass
class Played:
    """The fakes of one installation, and their calls."""

    home: Path
    found: Collected = field(default_factory=collected)
    measured: Evaluation = field(default_factory=evaluation)
    launches: list[list[str]] = field(default_factory=list)
    read: dict[str, list[Row]] = field(default_factory=dict)  # every row that a stage saw, by the flag it came with
    trained: list[set[str]] = field(default_factory=list)  # the ids of the rows that each launch trained on
    asked: list[Any] = field(default_factory=list)
    corrections_train: bool = False

    def stages(self) -> list[str]:
        """The folders of the stages that ran, in order."""
        return [Path(self.flag(launch, "--output_dir")).name for launch in self.launches]

    @staticmethod
    def flag(launch: list[str], name: str) -> str:
        """The value of a flag of a launch."""
        return launch[launch.index(name) + 1]

    async def collect(self, folder: Path, *, corrections_train: bool = False) -> Collected:
        self.corrections_train = corrections_train
        return self.found

    def launch(self, module: str, arguments: list[str], _warm: Any = None) -> int:
        self.launches.append([module, *arguments])
        inputs = [self.flag(arguments, "--model_name_or_path"), str(self.read_files(arguments))]
        name = "reward" if module == "reward" else "adapter"
        folder = Path(self.flag(arguments, "--output_dir"))
        (folder / name).mkdir(parents=True, exist_ok=True)
        made = hashlib.sha256(json.dumps([module, *inputs]).encode()).hexdigest()
        (folder / name / "adapter_model.safetensors").write_text(made)
        (folder / name / "adapter_config.json").write_text("{}")
        (folder / "metrics.jsonl").write_text('{"step": 1, "loss": 0.7, "reward": 0.1}\n{"step": 2, "loss": 0.6}\n')
        (folder / "manifest.json").write_text('{"figures": {"steps": 2, "eval_before": {"loss": 0.7}}}')
        return 0

    def read_files(self, arguments: list[str]) -> list[Any]:
        found = []
        for name in ("--dataset_name", "--eval_dataset_name", "--ties_name", "--watch_name", "--prompts"):
            if name in arguments:
                rows = read_rows(Path(self.flag(arguments, name)))
                self.read.setdefault(name, []).extend(rows)
                found.append([row.data for row in rows])
                if name == "--dataset_name":
                    self.trained.append({row.id for row in rows})
        return found

    def compare(self, *arguments: Any, **_: Any) -> Evaluation:
        self.asked.append(arguments)
        return self.measured

    def round(self, *flags: str) -> int:
        """`python -m alignment.round` with these flags."""
        return alignment.round.main(["--suites", "none", *flags])

    def manifest(self, number: int = 1) -> dict[str, Any]:
        """A round's manifest."""
        found: dict[str, Any] = json.loads((self.home / "rounds" / f"{number:04d}" / "manifest.json").read_text())
        return found


def play(home: Path, patch: pytest.MonkeyPatch) -> Played:
    """Put the fakes in place for an installation in `home`."""
    played = Played(home)
    patch.setenv("PARLEY_HOME", str(home))
    for name in ("PARLEY_JUDGE_URL", "PARLEY_JUDGE_MODEL"):
        patch.delenv(name, raising=False)
    patch.setattr(alignment.rounds.one_round, "quiet", lambda: None)
    patch.setattr(alignment.rounds.one_round, "collect_snapshot", played.collect)
    patch.setattr(alignment.rounds.steps, "launch", played.launch)
    patch.setattr(alignment.evaluation.verdict, "compare", played.compare)
    patch.setattr(alignment.rounds.candidate, "identity", lambda _: {"base_sha256": BUNDLED[DEFAULT_BASE].sha256})

    def to_gguf(adapter: Path, base: str, out: Path, *, check: Any = None) -> Path:
        out.write_bytes(b"gguf of " + (adapter / "adapter_model.safetensors").read_bytes())
        return out

    patch.setattr(alignment.rounds.candidate, "to_gguf", to_gguf)
    return played
