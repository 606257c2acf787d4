"""A home that was lived in, as the tests of backups have it."""

import sqlite3
from contextlib import closing
from pathlib import Path

from data.database import NAME
from data.release_manifest import ReleaseManifest
from data.releases import Releases
from data.store import Store
from tests.data.talk import Talk

PASSPHRASE = "correct horse"


def release(house: Path, text: str) -> int:
    def build(folder: Path) -> ReleaseManifest:
        (folder / "adapter").mkdir()
        (folder / "adapter" / "adapter_model.safetensors").write_text(text)
        (folder / "adapter.gguf").write_text(f"GGUF {text}")
        return ReleaseManifest(base="smollm2-135m", base_sha256="b1")

    return Releases(house).create(build).number


async def lived_in(house: Path) -> None:
    """A home with a conversation, two releases, a trial, a decided round and one that runs."""
    store = await Store.open(house)
    talk = await Talk.begin(store)
    ada, bob = await talk.person("ada"), await talk.person("bob")
    (one,) = await talk.ask(ada, "what ada asked", "an answer to ada")
    await talk.rate(ada, "correction", one, text="what ada corrected")
    await talk.ask(bob, "what bob asked", "an answer to bob")
    await store.close()
    release(house, "one")
    release(house, "two")
    Releases(house).promote(1)
    Releases(house).put_on_trial(2)
    (house / "releases" / "asked.jsonl").write_text('{"candidate": "round 1 against 0", "error": 0.03}\n')
    for number, status in ((1, "promoted"), (2, "running")):
        folder = house / "rounds" / f"{number:04d}"
        (folder / "sft" / "checkpoint-4").mkdir(parents=True)
        (folder / "manifest.json").write_text(f'{{"number": {number}, "status": "{status}"}}')
        (folder / "report.html").write_text("a report")
        (folder / "metrics.jsonl").write_text("{}\n")
        (folder / "sft-train.jsonl").write_text("what ada asked")
        (folder / "snapshot.db").write_text("what ada asked")
        (folder / "sft" / "checkpoint-4" / "optimizer.pt").write_text("large")
    for name in ("engine.json", "rounds.paused"):
        (house / name).write_text("{}")
    (house / "logs").mkdir()
    (house / "logs" / "engine.log").write_text("words")


def texts(house: Path) -> set[str]:
    with closing(sqlite3.connect(house / NAME)) as connection:
        return {text for (text,) in connection.execute("SELECT text FROM message_versions WHERE text IS NOT NULL")}


def files(folder: Path) -> dict[str, bytes]:
    """Every file of a folder that somebody made, with its content; locks and SQLite's own files come and go."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.endswith(("lock", "-wal", "-shm"))
    }


HELD = {
    *("key", "parley.db", "rounds.paused", "releases/champion", "releases/candidate", "releases/history"),
    "releases/asked.jsonl",
    *(f"releases/000{n}/{name}" for n in (1, 2) for name in ("manifest.json", "adapter.gguf")),
    *(f"releases/000{n}/adapter/adapter_model.safetensors" for n in (1, 2)),
    *(f"rounds/000{n}/{name}" for n in (1, 2) for name in ("manifest.json", "report.html", "metrics.jsonl")),
}
