"""`python -m alignment.release ADAPTER`: a release from an adapter that was trained by hand, or by another trainer.

It is exported, checked, pinned and recorded as a round's candidate is. The gate was never asked about it, so it does
not serve before somebody promotes it.
"""

import argparse
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from alignment.models import ADAPTER_CONFIG, ADAPTER_WEIGHTS, adapter_config, locate, own_base, result_of
from alignment.quiet import quiet
from alignment.serving.artefact import to_gguf
from alignment.serving.gguf_lora import read_adapter
from alignment.serving.same_base import check_base
from alignment.serving.server import Server, server_for
from data.bases import base_info
from data.chosen_base import home_base
from data.errors import BadInput, NothingToDo, run
from data.home import file_sha256, home, private_dir
from data.pasted import pasted
from data.release_manifest import ReleaseManifest
from data.releases import Releases
from data.unfinished import unfinished_folder


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m alignment.release",
        description="Make a release from an adapter that was trained by hand: a LoRA adapter as PEFT saves it. It is "
        "compared with PEFT's arithmetic as served before it gets its number.",
    )
    parser.add_argument("adapter", type=Path, metavar="ADAPTER", help="the adapter's folder, or a run's folder")
    parser.add_argument(
        "--base", metavar="NAME", help="the base model that it was trained on, by its name here (default: the home's)"
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Read the command line, export, check, write the release, and say what to do next."""
    options = _parser().parse_args(argv)
    adapter = result_of(options.adapter)
    if not (adapter / ADAPTER_CONFIG).is_file():
        raise BadInput(f"{options.adapter} holds no adapter: there is no {ADAPTER_CONFIG} in it.")
    base = home_base(home(), options.base, pin=True)
    server = server_for(base, lambda sentence: print(sentence, flush=True))
    if sentence := _check_base(adapter, base):
        print(sentence, flush=True)
    read_adapter(adapter)  # a bad adapter fails here, not after a model was loaded
    number = _release(adapter, base, server)
    print(f"Release {number} is written. To let people compare its answers with the champion's:")
    print(pasted(f"  python -m alignment.promote {number} --trial"))
    print("To compare the two on held-out rows, or to make it the champion at once:")
    print(pasted(f"  python -m alignment.evaluate --candidate {number}"))
    print(pasted(f"  python -m alignment.promote {number}"))
    return 0


def _check_base(adapter: Path, base: str) -> str | None:
    """Raise `BadInput` if the adapter was trained on another base; a sentence where that cannot be known."""
    name, source = own_base(adapter), base_info(base).source
    if source and name == source and not (adapter.parent / "manifest.json").is_file():
        return None  # another trainer names the base as the hub does, and this one came from there
    return check_base(adapter, locate(base))


def _release(adapter: Path, base: str, server: Server) -> int:
    """Export and check the adapter, and write it as a release; returns its number."""
    # These load SQLAlchemy and rich; a bad command line is reported without them.
    from alignment.rounds.candidate import identity, made_before, record

    quiet()
    releases = Releases(home())
    # The check takes minutes, and nothing may be promoted while a release is written: so it comes before.
    with unfinished_folder(private_dir(releases.folder) / "by-hand") as staging:
        if there := made_before(releases, adapter, base):
            raise NothingToDo(f"This very adapter is release {there.number} already.")
        gguf = staging / "adapter.gguf" if server.loads_gguf else None
        if gguf:
            print(f"Converting {adapter} (base: {base}) ...", flush=True)
            to_gguf(adapter, base, gguf)
        print("Comparing it with PEFT's log-probabilities on real prompts ...", flush=True)
        print(f"It computes what was trained: {server.check(base, adapter, gguf)}.", flush=True)
        pinned = identity(base)

        def build(folder: Path) -> ReleaseManifest:
            _copy(adapter, base, folder / "adapter")
            if gguf:
                shutil.copyfile(gguf, folder / "adapter.gguf")
            artefact = file_sha256(gguf) if gguf else None
            return ReleaseManifest(base=base, **pinned, adapter_gguf_sha256=artefact)

        number = releases.create(build).number
    record(number, base, promoted=False)
    return number


def _copy(adapter: Path, base: str, target: Path) -> None:
    """Copy what is needed of an adapter: other trainers leave checkpoints and optimisers beside it.

    The copy names the base as it is called here, so that it can be continued.
    """
    private_dir(target)
    shutil.copyfile(adapter / ADAPTER_WEIGHTS, target / ADAPTER_WEIGHTS)
    config = {**adapter_config(adapter), "base_model_name_or_path": base}
    (target / ADAPTER_CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run(main)
