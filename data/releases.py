"""The numbered releases, and the pointers to the one that serves and to the one on trial."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock

from data.errors import BadInput
from data.home import make_private, private_dir, sync_dir, sync_tree, write_atomic
from data.home_base import HomeBase, read_home_base, write_home_base
from data.manifests import Damaged
from data.merged_files import keep_merged
from data.release_manifest import ReleaseManifest, files_of
from data.unfinished import remove_unfinished_of, unfinished_folder

# Fewer compared prompts decide nothing between two releases: the interval would be wider than any difference worth
# having.
MINIMUM_PROMPTS = 20
# People who compared answers of two releases live: three whom nobody knows decide nothing, so it takes three more. If
# the operator vouches for all of them, three are enough.
MINIMUM_PEOPLE = 6
MINIMUM_VOUCHED = 3
_DIGITS = 9  # of a release's number; Python refuses to read thousands of them
BASE_RELEASE = 0  # what serves before the first promotion: the base model itself


class Superseded(BadInput):
    """Another release became the champion after the decision to replace the one before."""


class NoEarlier(BadInput):
    """There was no champion before the one that serves."""


class OtherBase(BadInput):
    """A release belongs to another base than the home has, so it cannot serve there."""


@dataclass(frozen=True, slots=True)
class Release:
    """One release on disk: an adapter or a whole model, with the manifest that pins what it belongs to."""

    number: int
    path: Path
    manifest: ReleaseManifest

    @property
    def adapter(self) -> Path:
        """The adapter as PEFT saves it."""
        return self.path / "adapter"

    @property
    def adapter_gguf(self) -> Path:
        """The same adapter as the embedded engine loads it."""
        return self.path / "adapter.gguf"

    @property
    def base(self) -> str:
        """The base model that the adapter belongs to: an alias, a Hugging Face id or a directory."""
        return self.manifest.base


@dataclass(frozen=True, slots=True)
class Serving:
    """What serves: a release's number, and the home's base (None before it is pinned), read at one moment."""

    number: int
    base: HomeBase | None

    @property
    def model(self) -> str | None:
        """The mark of the base where that is what serves; None for a numbered release."""
        return self.base.mark if self.base and self.number == BASE_RELEASE else None


class Releases:
    """The releases of one installation, under `releases/` of its folder."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.folder = home / "releases"
        self.champion_path = self.folder / "champion"
        self.candidate_path = self.folder / "candidate"

    def all(self) -> list[Release]:
        """Every complete release, oldest first."""
        if not self.folder.is_dir():
            return []
        numbers = sorted(int(p.name) for p in self.folder.iterdir() if p.name.isdecimal() and p.is_dir())
        return [self._read(number) for number in numbers]

    def servable(self) -> list[Release]:
        """Every complete release of the home's base, oldest first: those of other bases cannot serve here."""
        base = read_home_base(self.home)
        return [each for each in self.all() if not base or base.has(each.base, each.manifest.base_sha256)]

    def get(self, number: int) -> Release:
        """One release; `BadInput` when there is none of that number."""
        if not (self.folder / f"{number:04d}" / "manifest.json").is_file():
            numbers = [release.number for release in self.all()]
            there = f"there are {', '.join(map(str, numbers))}" if numbers else "there are none yet"
            raise BadInput(f"There is no release {number} in {self.folder}; {there}.")
        return self._read(number)

    def champion(self) -> int:
        """The number of the release that serves; 0 stands for the base model, before the first promotion."""
        return self._champion(read_home_base(self.home))

    def serving(self) -> Serving:
        """The champion together with the base that it belongs to, also while somebody switches to another base."""
        while True:
            base = read_home_base(self.home)
            number = self._champion(base)
            if read_home_base(self.home) == base:
                return Serving(number, base)

    def _champion(self, base: HomeBase | None) -> int:
        if base is not None and base.begins_anew:
            return BASE_RELEASE
        found = _number(self.champion_path, "of the release that serves", "serve the base model")
        return BASE_RELEASE if found is None else found

    def candidate(self) -> int | None:
        """The number of the release on trial, whose answers people compare with the champion's; None without one."""
        base = read_home_base(self.home)
        if base is not None and base.begins_anew:
            return None
        found = _number(self.candidate_path, "of the release on trial", "end the trial")
        return found if found != self.champion() else None

    def looks(self) -> list[int]:
        """How many questions had been compared each time that the gate was asked about a trial, long ago.

        Nothing writes this any more: the gate may be asked at any time. `data.error_budget` counts what is there.
        """
        try:
            return [int(line) for line in (self.folder / "candidate.looks").read_bytes().split() if line.isdigit()]
        except FileNotFoundError:
            return []

    def put_on_trial(self, number: int) -> None:
        """Let people compare a release's answers with the champion's, until another serves or the trial is ended.

        Raises `OtherBase` for a release that cannot serve in this home.
        """
        if number == self.champion():
            raise BadInput(f"Release {number} serves already, so there is nothing to compare it with.")
        if number != BASE_RELEASE:
            self.get(number)
        with self._writing():
            self.refuse_other_base(number)
            write_atomic(self.candidate_path, f"{number}\n")
            self.keep_merged()

    def end_trial(self) -> int | None:
        """End the trial; returns the number of the release that was on trial, None without one that can be read."""
        try:
            number = self.candidate()
        except BadInput:
            number = None  # a damaged file goes with the trial
        self.candidate_path.unlink(missing_ok=True)
        self.keep_merged()
        return number

    def keep_merged(self) -> None:
        """Let only the champion and the release on trial keep their merged files (`data.merged_files`)."""
        with suppress(BadInput):  # a damaged pointer: this runs again when somebody mends it
            keep_merged(self.folder, {self.champion(), self.candidate()})

    def create(self, build: Callable[[Path], ReleaseManifest]) -> Release:
        """Build a release in a temporary folder and rename it into place under the next number.

        `build` fills the folder that it is given and returns the manifest; `number`, `created_at` and `files` are set
        here. If it raises, or the process dies, no release appears.
        """
        private_dir(self.folder)
        staged = self.folder / "release"
        remove_unfinished_of(staged)
        with FileLock(self.folder / ".lock", mode=0o600), unfinished_folder(staged) as staging:
            manifest = build(staging)
            number = max((release.number for release in self.all()), default=BASE_RELEASE) + 1
            now, files = datetime.now(UTC).isoformat(), files_of(staging)
            manifest = replace(manifest, number=number, created_at=now, files=files)
            manifest.save(staging / "manifest.json")
            make_private(staging)
            sync_tree(staging)
            staging.rename(self.folder / f"{number:04d}")
            sync_dir(self.folder)
        return self.get(number)

    def promote(self, number: int, *, instead_of: int | None = None) -> None:
        """Make a release the champion; 0 goes back to the base model. Readers see the old or the new one.

        `instead_of` is the champion to replace. Raises `Superseded` when another one serves by now, and `OtherBase`
        for a release that cannot serve in this home.
        """
        if number != BASE_RELEASE:
            self.get(number)
        with self._writing():
            self.refuse_other_base(number)
            history = self._history()
            if instead_of is not None and history[-1] != instead_of:
                raise Superseded(f"Release {history[-1]} serves meanwhile, so nothing was changed.")
            if history[-1] != number:
                self._point(number, [*history, number])

    def rollback(self, *, instead_of: int | None = None) -> int:
        """Go back to the champion before this one; returns its number. `BadInput` when there was none.

        `instead_of` is the champion to leave. Raises `Superseded` when another one serves by now.
        """
        with self._writing():
            history = self._history()
            if instead_of is not None and history[-1] != instead_of:
                raise Superseded(f"Release {history[-1]} serves meanwhile, so nothing was changed.")
            if len(history) < 2:
                raise NoEarlier("There is no earlier champion to go back to.")
            self.refuse_other_base(history[-2])
            self._point(history[-2], history[:-1])
            return history[-2]

    def refuse_other_base(self, number: int) -> None:
        """Raise `OtherBase` for a release that belongs to another base than this home has; `BadInput` without it."""
        base = read_home_base(self.home)
        if base is None or number == BASE_RELEASE:
            return
        manifest = self.get(number).manifest
        if base.has(manifest.base, manifest.base_sha256):
            return
        if manifest.base == base.name:
            raise OtherBase(
                f"Release {number} was trained on other weights of the base model {base.name} than this home "
                f"({self.home}) has, so it cannot serve here. Promote another release, or run a new round."
            )
        raise OtherBase(
            f"Release {number} belongs to the base model {manifest.base}, and this home ({self.home}) has "
            f"{base.name}, so it cannot serve here. To begin anew from its base, so that it can: "
            f"`python -m alignment.bases switch {manifest.base}`."
        )

    def begin_anew(self, name: str, sha256: str) -> None:
        """Give the home another base: release 0 is that base from now on and serves, and the history starts over.

        A process that dies on the way leaves the home with the base before and its champion, or with the new base.
        """
        with self._writing():
            # This write decides. Pointers of the base before do not count from here on, wherever the process dies.
            write_home_base(self.home, HomeBase(name=name, sha256=sha256, begins_anew=True))
            self._remove_pointers()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Hold the lock of the pointers, without those that a switch of the base left when it was killed."""
        with FileLock(private_dir(self.folder) / ".lock", mode=0o600):
            self._remove_pointers()
            yield

    def _remove_pointers(self) -> None:
        base = read_home_base(self.home)
        if base is not None and base.begins_anew:
            for path in (self.candidate_path, self.champion_path, self.folder / "history"):
                path.unlink(missing_ok=True)
            sync_dir(self.folder)
            write_home_base(self.home, replace(base, begins_anew=False))
            self.keep_merged()

    def _history(self) -> list[int]:
        """The champions so far, oldest first, ending with the one that serves."""
        champion = self.champion()
        path = self.folder / "history"
        lines = path.read_bytes().split() if path.exists() else []
        # A damaged line is left out: the history only says where a rollback leads.
        history = [int(line) for line in lines if line.isdigit()] or [BASE_RELEASE]
        # The pointer is the truth: a process that died between the two writes left an entry too many or too few.
        if champion not in history:
            return [*history, champion]
        while history[-1] != champion:
            history.pop()
        return history

    def _point(self, number: int, history: list[int]) -> None:
        write_atomic(self.folder / "history", "".join(f"{entry}\n" for entry in history))
        write_atomic(self.champion_path, f"{number}\n")
        # The release on trial was compared with the champion before this one.
        self.candidate_path.unlink(missing_ok=True)
        self.keep_merged()

    def _read(self, number: int) -> Release:
        path = self.folder / f"{number:04d}"
        try:
            manifest = ReleaseManifest.load(path / "manifest.json")
        except (OSError, Damaged) as error:
            problem = error.problem if isinstance(error, Damaged) else error
            raise BadInput(f"Release {number} in {path} has no readable manifest.json: {problem}.") from error
        return Release(number, path, manifest)


def _number(path: Path, whose: str, without: str) -> int | None:
    """The number that a file holds, None where there is none. `BadInput` when it holds anything else."""
    try:
        raw = path.read_bytes().strip()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadInput(
            f"{path} should hold the number {whose}, and cannot be read ({(error.strerror or str(error)).lower()}). "
            f"Move it away to {without}."
        ) from None
    if not raw.isdigit() or len(raw) > _DIGITS:
        raise BadInput(
            f"{path} should hold the number {whose}, alone, and holds something else. Correct it, or remove the "
            f"file to {without}."
        )
    return int(raw)
