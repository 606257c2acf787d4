"""Converting a model: what is refused before any work, what is written, and what a failure says."""

import json
import struct
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from alignment.conversion import gguf
from alignment.conversion.gguf import Job, UnknownPreTokenizer, check_convertible, convert, run_jobs
from data.errors import BadInput

CONFIG = {"model_type": "llama", "architectures": ["LlamaForCausalLM"]}


def model(folder: Path, config: object = CONFIG, dtype: str = "BF16", shape: tuple[int, ...] = (10, 100)) -> Path:
    """A model's folder with a file that has a header and no weights."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    header = json.dumps({"w": {"dtype": dtype, "shape": shape, "data_offsets": [0, 0]}}).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    return folder


@pytest.mark.parametrize(
    ("config", "match"),
    [
        ({**CONFIG, "model_type": "mixtral", "num_local_experts": 8}, "mixture of experts.*vLLM"),
        ({**CONFIG, "model_type": "qwen3_moe", "num_experts": 128}, "mixture of experts"),
        ({**CONFIG, "model_type": "mamba"}, r"'mamba' \(known: .*llama.*\).*vLLM"),
        ({**CONFIG, "model_type": "gemma3", "vision_config": {}}, "sees images"),
        ({"architectures": []}, "model_type"),
        ([], "model_type"),
    ],
)
def test_other_models_are_refused_at_once(tmp_path: Path, config: object, match: str) -> None:
    with pytest.raises(BadInput, match=match):
        check_convertible(model(tmp_path / "m", config), tmp_path, "f16")


def test_folders_that_hold_no_model_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no config\.json"):
        check_convertible(tmp_path, tmp_path, "f16")
    folder = model(tmp_path / "m")
    with pytest.raises(BadInput, match=r"no quantisation 'q4_k_m'.*q8_0"):
        check_convertible(folder, tmp_path, "q4_k_m")
    (folder / "model.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0not json")
    with pytest.raises(BadInput, match="damaged"):
        check_convertible(folder, tmp_path, "f16")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(BadInput, match="safetensors"):
        check_convertible(folder, tmp_path, "f16")


@pytest.mark.parametrize(("stored", "kind"), [("F32", "f32"), ("BF16", "bf16"), ("F16", "f16")])
def test_none_keeps_what_is_stored(tmp_path: Path, stored: str, kind: str) -> None:
    assert check_convertible(model(tmp_path / "m", dtype=stored), tmp_path, "none") == kind
    assert check_convertible(model(tmp_path / "m", dtype=stored), tmp_path, "q8_0") == "q8_0"


def test_a_disk_without_room_is_named_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = model(tmp_path / "m", shape=(1_000_000, 4_000))
    monkeypatch.setattr(gguf.shutil, "disk_usage", lambda _: SimpleNamespace(free=5_000_000_000))
    assert check_convertible(folder, tmp_path, "q8_0") == "q8_0"
    with pytest.raises(BadInput, match=r"f16 takes about 8\.2 GB, and .* has 5\.0 GB left"):
        check_convertible(folder, tmp_path, "f16")


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A converter without torch: its command writes what it was given, or fails as a file beside it says."""
    folder = tmp_path / "converter"
    folder.mkdir()
    (folder / "conversion.py").write_text(
        "class ModelBase:\n    def load_hparams(folder, _): return {'model_type': 'gpt2'}\n"
        "class TextModel:\n    def get_vocab_base_pre(self, tokenizer): raise NotImplementedError('unknown')\n"
    )
    (folder / "convert_hf_to_gguf.py").write_text(
        "import json, os, pathlib, sys\nimport conversion\n"
        "def main():\n"
        "    here = pathlib.Path(__file__).parent\n"
        "    if (here / 'fails').exists(): exec((here / 'fails').read_text())\n"
        "    print('Writing:  60%|##', end='\\r', file=sys.stderr)\n"
        "    model = pathlib.Path(sys.argv[1])\n"
        "    made = {'argv': sys.argv[2:], 'pre': conversion.TextModel().get_vocab_base_pre(None),\n"
        "            'config': json.loads((model / 'config.json').read_text()),\n"
        "            'context': conversion.ModelBase.load_hparams(model, False)['n_ctx'],\n"
        "            'files': sorted(p.name for p in model.iterdir()), 'env': sorted(os.environ)}\n"
        "    pathlib.Path(sys.argv[3]).write_text(json.dumps(made))\n"
    )
    monkeypatch.setattr(gguf, "fetch_converter", lambda _: folder)
    return folder


@pytest.mark.process
def test_the_converter_gets_the_model_without_its_programs(
    fake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "secret")
    folder = model(tmp_path / "m", {**CONFIG, "auto_map": {"AutoModel": "evil.py"}})
    (folder / "evil.py").write_text("boom")
    said: list[str] = []
    assert convert(folder, tmp_path / "out.gguf", "none", pre="qwen2", say=said.append) == "bf16"
    made = json.loads((tmp_path / "out.gguf").read_text())
    assert made["argv"] == ["--outfile", str(tmp_path / "out.gguf"), "--outtype", "bf16", "--model-name", "base"]
    assert made["pre"] == "qwen2"
    assert made["config"] == CONFIG
    assert made["context"] == 1024  # GPT-2's older name for it, given back
    assert made["files"] == ["config.json", "model.safetensors"]
    assert "HF_TOKEN" not in made["env"]
    assert "HF_HUB_OFFLINE" in made["env"]
    assert said[-1] == "  50 % written"


@pytest.mark.process
def test_what_goes_wrong_in_the_converter_is_one_sentence(fake: Path, tmp_path: Path) -> None:
    right, other = (model(tmp_path / name) for name in ("right", "other"))
    jobs = [Job(right, tmp_path / "1.gguf", "f16", "gpt-2"), Job(other, tmp_path / "2.gguf", "f16")]
    with pytest.raises(UnknownPreTokenizer, match=r"tokenizer of .*other"):
        run_jobs(jobs, say=print)
    assert (tmp_path / "1.gguf").exists()
    (fake / "fails").write_text("raise KeyError('hidden_size')")
    with pytest.raises(BadInput, match=r"cannot convert .*right: KeyError: 'hidden_size'\.$"):
        run_jobs(jobs[:1], say=print)
    (fake / "fails").write_text("os.kill(os.getpid(), 9)")
    with pytest.raises(BadInput, match=r"signal 9.*free memory"):
        run_jobs(jobs[:1], say=print)


@pytest.mark.process
def test_the_converter_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    (tmp_path / "conversion.py").write_text("import time\nprint('begun', flush=True)\ntime.sleep(60)\n")
    program = [sys.executable, "-P", str(gguf._DRIVER), str(tmp_path)]
    process = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("[]\n")
    process.stdin.flush()
    assert process.stdout.readline() == "begun\n"
    assert process.poll() is None
    process.stdin.close()  # as the system does when the other end's process is gone
    assert process.wait(timeout=30) == 1
