"""Finding a pre-tokenizer: the known names are tried in llama.cpp until the token ids are transformers'."""

import os
import shutil
from pathlib import Path

import pytest
from tokenizers import Regex, pre_tokenizers
from transformers import AutoTokenizer

from alignment.conversion import pretokenizer
from alignment.conversion.candidates import rename
from alignment.conversion.gguf import Job, run_jobs
from alignment.conversion.pretokenizer import find_pretokenizer
from data.errors import BadInput
from tests.fakes import tiny_bases

pytestmark = [pytest.mark.tiny, pytest.mark.process]


@pytest.fixture(scope="module")
def made(convert_here: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Qwen-like model's folder, and beside it the empty model with its tokenizer."""
    folder = tmp_path_factory.mktemp("qwen")
    tiny_bases.build("qwen2", folder / "hf")
    run_jobs([Job(folder / "hf", folder / "empty.gguf", "empty")], say=print)
    return folder


@pytest.fixture
def find(made: Path, monkeypatch: pytest.MonkeyPatch):
    """Finds without another conversion: all tests share one empty model."""
    monkeypatch.setattr(pretokenizer, "run_jobs", lambda jobs, **_: shutil.copy(made / "empty.gguf", jobs[0].out))
    return lambda tokenizer: find_pretokenizer(made / "hf", tokenizer=tokenizer, say=print)


def test_an_unknown_one_is_found(made: Path, find) -> None:
    assert rename(made / "empty.gguf", None) == "default"  # the converter does not know a tokenizer of 700 tokens
    assert find(AutoTokenizer.from_pretrained(made / "hf")) == "qwen2"


def test_if_no_name_fits_a_text_is_named(made: Path, find) -> None:
    tokenizer = AutoTokenizer.from_pretrained(made / "hf")
    splits = pre_tokenizers.Split(Regex("[aeiou]"), behavior="isolated")
    bytewise = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence([splits, bytewise])
    with pytest.raises(BadInput, match=r"other tokens than transformers.*whichever.*differ on '.+vLLM"):
        find(tokenizer)


# Stands for llama.cpp: ends the process under one name, never returns under another, and knows no other.
_STUBBORN = """
import os, pathlib, signal, time
from unittest.mock import MagicMock as CommonParams
from alignment.conversion.candidates import rename
def Server(params):
    name = rename(pathlib.Path(params.model.path), None)
    with open(os.environ["ASKED"], "a") as asked:
        print(name, file=asked)
    if name == "crash":
        os.abort()
    if name == "hang":
        if not signal.alarm(1):  # no limit was set
            os._exit(0)
        time.sleep(60)
    raise RuntimeError
"""


def test_a_name_under_which_llama_cpp_ends_or_hangs_is_passed_over(
    made: Path, find, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "xllamacpp.py").write_text(_STUBBORN, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("ASKED", str(tmp_path / "asked"))
    monkeypatch.setattr(pretokenizer, "_MERGED", ("crash", "hang", "qwen2"))
    monkeypatch.setattr(pretokenizer, "_WHOLE", ())
    with pytest.raises(BadInput, match=r"could not load the tokenizer of .* under any name"):
        find(AutoTokenizer.from_pretrained(made / "hf"))
    assert (tmp_path / "asked").read_text().split() == ["default", "crash", "hang", "qwen2"]


def test_another_name_changes_nothing_else(made: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copy(made / "empty.gguf", tmp_path))
    for name in ("granite-embed-multi-97m", "x"):
        rename(copy, name)
        assert rename(copy, None) == name
    rename(copy, "default")
    assert copy.read_bytes() == (made / "empty.gguf").read_bytes()


def test_a_tokenizer_that_llama_cpp_does_not_load_is_a_sentence(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretokenizer, "run_jobs", lambda jobs, **_: jobs[0].out.write_bytes(b"no model"))
    with pytest.raises(BadInput, match="could not"):
        find_pretokenizer(made / "hf", say=print)
