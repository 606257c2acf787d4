"""A release on trial, served by a fake engine of its own."""

from pathlib import Path

from bot.engine.api import Engine
from bot.engine.open import open_engine
from bot.trial import Trial
from data.release_manifest import ReleaseManifest
from data.releases import Releases
from tests.fakes.engine import FakeEngine


class Tried:
    """Release 2 of two is on trial."""

    def __init__(self, home: Path, fake: FakeEngine) -> None:
        self.home, self.fake = home, fake
        self.opened: list[int] = []
        self.closed = 0
        self.releases = Releases(home)
        for _ in range(2):
            self.releases.create(lambda _: ReleaseManifest(base="smollm2-135m"))
        self.releases.put_on_trial(2)

    async def start(self, release: int) -> Engine:
        self.opened.append(release)
        engine = await open_engine(self.home, url=self.fake.url, model=f"release-{release:04d}")
        usual = engine.close

        async def close() -> None:
            self.closed += 1
            await usual()

        engine.close = close  # type: ignore[method-assign]  # replaced for the test
        return engine

    def trial(self, **shares: float) -> Trial:
        return Trial(self.home, self.start, **{"share": 1.0, **shares})
