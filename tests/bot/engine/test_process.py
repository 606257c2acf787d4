"""`python -m bot.engine` with the real base: its address, its refusals, what it loads, what it does not log."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from bot.engine.artefact import find
from bot.engine.server import ServeOptions, parameters
from data.errors import BadInput
from data.release_manifest import ReleaseManifest
from data.releases import Releases
from tests.engine_key import SECRETS, key_of
from tests.fakes.adapter import make_release, write_adapter

pytestmark = pytest.mark.base

QUESTION = [{"role": "user", "content": "What is the capital of France?"}]
ROOT = Path(__file__).parents[3]


def start(*flags, home=None):
    environment = {**os.environ, **({"PARLEY_HOME": str(home)} if home else {})}
    command = [sys.executable, "-m", "bot.engine", *map(str, flags)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=environment
    )


@contextlib.contextmanager
def running(*flags, home=None):
    process = start(*flags, home=home)
    try:
        yield json.loads(process.stdout.readline()), process
    finally:
        process.terminate()
        process.communicate(timeout=60)


def ask(line, path, body=None, *, key=None, method=None):
    """What a path below the server's root answers; without `key` it is the engine's own."""
    raw = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key_of(line) if key is None else key}"}
    request = urllib.request.Request(line["url"].removesuffix("/v1") + path, raw, headers, method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=120) as response:
        return json.load(response)


def answer(line, *, key=None, **settings):
    body = {"messages": QUESTION, "max_tokens": 12, "temperature": 0, **settings}
    return ask(line, "/v1/chat/completions", body, key=key)["choices"][0]["message"]["content"]


@pytest.fixture(scope="module")
def base_engine(base_home, tmp_path_factory):
    with running("--parallel", 1, "--context", 256, home=tmp_path_factory.mktemp("home")) as started:
        yield started


def test_the_line_on_standard_output_says_where_and_what(base_engine):
    line, process = base_engine
    assert line["url"].startswith("http://127.0.0.1:")
    assert line["url"].endswith("/v1")
    assert line["pid"] == process.pid
    assert line["release"] == 0
    assert line["context_length"] == 256
    assert "Paris" in answer(line)


def test_settings_that_a_request_does_not_name_are_off(base_engine):
    line, _ = base_engine
    params = ask(line, "/props")["default_generation_settings"]["params"]
    neutral = {
        "top_k": 0,
        "min_p": 0,
        "typical_p": 1,
        "repeat_penalty": 1,
        "presence_penalty": 0,
        "dry_multiplier": 0,
    }
    assert {name: params[name] for name in neutral} == neutral


def test_a_conversation_that_lost_its_slot_to_another_is_not_computed_again(base_engine):
    line, _ = base_engine

    def known(talk):  # tokens of the prompt that were not computed
        body = {"messages": talk, "max_tokens": 4, "temperature": 0}
        found = ask(line, "/v1/chat/completions", body)
        talk.append(found["choices"][0]["message"])
        return found["usage"]["prompt_tokens_details"]["cached_tokens"], found["usage"]["prompt_tokens"]

    one, other = ([{"role": "user", "content": f"{word} " * 60}] for word in ("sea", "hill"))
    _, length = known(one)
    known(other)  # the only slot is taken
    one.append({"role": "user", "content": "And then?"})
    assert known(one)[0] >= length


@pytest.mark.parametrize("path", ["/slots", "/metrics"])
def test_no_endpoint_shows_what_others_ask(base_engine, path):
    line, _ = base_engine
    with pytest.raises(urllib.error.HTTPError, match="501"):
        ask(line, path)


@pytest.mark.parametrize("key", ["", "wrong", "0" * 64])
@pytest.mark.parametrize(
    "path",
    [
        "/v1/chat/completions",
        "/v1/completions",
        "/completion",
        "/v1/models",
        "/models",
        "/props",
        "/slots",
        "/metrics",
        "/lora-adapters",
        "/tokenize",
        "/detokenize",
        "/apply-template",
        "/v1/messages",
        "/v1/responses",
        "/api/chat",
        "/infill",
        "/embedding",
        "/slots/0?action=erase",
        "/cors-proxy",
    ],
)
def test_without_the_key_nobody_learns_or_changes_anything(base_engine, path, key):
    line, _ = base_engine
    for body in (None, {"messages": QUESTION, "content": "a", "prompt": "a", "lora": [{"id": 0, "scale": 0.0}]}, []):
        with pytest.raises(urllib.error.HTTPError, match="401"):
            ask(line, path, body, key=key)


def test_an_answer_asks_for_the_key_only_once_and_all_health_says_is_ok(base_engine):
    line, _ = base_engine
    assert ask(line, "/health", key="") == {"status": "ok"}
    assert "api_key" not in line
    file = Path(line["key_file"])
    assert file.stat().st_mode & 0o077 == 0
    assert len(key_of(line)) == 64


def test_every_process_has_a_key_of_its_own_and_takes_its_entry_with_it(base_engine, base_home, tmp_path):
    first, _ = base_engine
    with running("--parallel", 1, "--context", 64, home=tmp_path) as (line, process):
        key = key_of(line)
        assert key != key_of(first)
        with running("--parallel", 1, "--context", 64, home=tmp_path) as (second, _):
            assert key_of(second) != key == key_of(line)
        assert key not in Path(f"/proc/{process.pid}/cmdline").read_text()
        assert key not in Path(f"/proc/{process.pid}/environ").read_text()
        killed, dead = start("--context", 64, home=tmp_path), None
        dead = json.loads(killed.stdout.readline())
        killed.kill()
        killed.communicate()
    entries = json.loads((tmp_path / "engine.json").read_text())
    assert list(entries) == [dead["key_entry"]]
    with running("--context", 64, home=tmp_path) as (line, _):
        assert list(json.loads((tmp_path / "engine.json").read_text())) == [line["key_entry"]]


def test_the_bot_of_an_earlier_version_is_told_to_restart(tmp_path):
    command = [sys.executable, "-m", "bot.engine", "--leased", "--lock", "0", "--release", "0"]
    environment = {**os.environ, "PARLEY_HOME": str(tmp_path)}
    found = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False, timeout=240
    )
    assert (found.returncode, found.stdout) == (2, "")
    assert "runs an earlier version of Parley: restart it." in found.stderr


def test_a_key_can_be_given_and_is_then_written_nowhere(base_home, tmp_path):
    environment = {**os.environ, "PARLEY_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "bot.engine", "--context", "64", "--key-on-stdin"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **pipes, text=True, cwd=ROOT, env=environment) as process:
        process.stdin.write("our-own-key-of-the-test\n")
        process.stdin.flush()
        line = json.loads(process.stdout.readline())
        assert line["key_file"] is None
        assert "Paris" in answer(line, key="our-own-key-of-the-test")
        assert not (tmp_path / "engine.json").exists()
        process.terminate()
    refused = subprocess.run(
        command,
        input="short\n",
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment,
        check=False,
        timeout=240,
    )
    assert refused.returncode == 2
    assert "at least 16" in refused.stderr


def test_secrets_do_not_stay_in_the_environment_of_an_engine_started_by_hand(base_home, tmp_path, monkeypatch):
    for name in SECRETS:
        monkeypatch.setenv(name, "t0ken")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    with running("--parallel", 1, "--context", 64, home=tmp_path) as (line, process):
        assert line["pid"] == process.pid
        environment = Path(f"/proc/{process.pid}/environ").read_text()
        assert "t0ken" not in environment
        assert "OMP_NUM_THREADS=1" in environment
        assert f"PARLEY_HOME={tmp_path}" in environment


def test_an_adapter_changes_the_answer_and_one_of_zeros_does_not(base_engine, base_home, tmp_path):
    line, _ = base_engine
    plain = answer(line)
    for strength, same in ((0.0, True), (1.0, False)):
        adapter = write_adapter(tmp_path / "adapter.gguf", strength=strength)
        with running("--adapter", adapter, "--parallel", 1, "--context", 256, home=tmp_path) as (tuned, _):
            assert (answer(tuned) == plain) is same


def test_no_text_reaches_the_log(base_home, tmp_path):
    process = start("--parallel", 1, "--context", 64, home=tmp_path)
    line = json.loads(process.stdout.readline())
    secret = "xylophone-4711"
    requests = [
        b'{"messages": [{"role": "user", "content": "' + secret.encode() + b'"} broken',
        {"messages": [{"role": "user", "content": f"{secret} " * 99}]},
        {"messages": [{"role": "nobody", "content": secret}], "max_tokens": 3, "stop": [secret]},
        {"messages": [{"role": "user", "content": {secret: secret}}]},
        {"messages": QUESTION, "max_tokens": 3, "tools": [{secret: 1}], "response_format": {"type": secret}},
    ]
    for body in requests:
        with contextlib.suppress(urllib.error.HTTPError):
            ask(line, "/v1/chat/completions", body)
    key = key_of(line)
    process.terminate()
    out, err = process.communicate(timeout=60)
    assert "xylophone" not in out + err
    assert key not in json.dumps(line) + out + err


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--base", "gpt2"], "There is no base model 'gpt2' in"),
        (["--release", "9"], "There is no release 9"),
        (["--adapter", "nowhere.gguf"], "There is no adapter file nowhere.gguf"),
    ],
)
def test_what_cannot_be_served_is_refused_with_a_sentence(base_home, tmp_path, flags, sentence):
    process = start(*flags, home=tmp_path)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert out == ""
    assert sentence in err
    assert "Traceback" not in err


def test_a_damaged_adapter_is_refused_with_llama_cpps_reason(base_home, tmp_path):
    make_release(tmp_path, damaged=True)
    process = start("--release", 1, home=tmp_path)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "failed to load lora adapter" in err
    assert "the lines above say why" in err


def test_a_release_whose_adapter_was_changed_is_refused_before_it_serves(base_home, tmp_path):
    release = make_release(tmp_path)
    with running("--release", 1, "--parallel", 1, "--context", 64, home=tmp_path) as (line, _):
        assert line["release"] == 1
    raw = bytearray(release.adapter_gguf.read_bytes())
    raw[-1] ^= 1  # one bit of a weight: llama.cpp would serve it
    release.adapter_gguf.write_bytes(raw)
    process = start("--release", 1, home=tmp_path)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    assert f"parley: Release 1 is not served: {release.adapter_gguf} was changed or is damaged" in err


def test_an_engine_ends_with_its_parent(base_home, tmp_path):
    parent = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-m', 'bot.engine', '--with-parent', '--context', '64'],"
        " stdout=subprocess.PIPE, text=True)\n"
        "print(child.stdout.readline(), end='', flush=True)\n"
        "sys.stdin.read()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", parent],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PARLEY_HOME": str(tmp_path)},
    )
    line = json.loads(process.stdout.readline())
    key = key_of(line)
    assert "Paris" in answer(line, key=key)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    with contextlib.suppress(OSError):
        while True:  # the test's timeout is the limit
            answer(line, key=key, max_tokens=1)


class TestFind:
    def test_without_a_release_it_is_the_champion(self, base_home, tmp_path):
        assert find(tmp_path).release == 0
        assert find(tmp_path).adapter is None
        release = make_release(tmp_path)
        assert find(tmp_path).release == 0
        Releases(tmp_path).promote(release.number)
        found = find(tmp_path)
        assert (found.release, found.adapter, found.key) == (1, release.adapter_gguf, "0001-of16")
        assert find(tmp_path, 0).key == "0000-smollm2-135m@b179c9523d0e-of16"

    def test_a_base_other_than_the_releases_is_refused(self, base_home, tmp_path):
        make_release(tmp_path)
        with pytest.raises(BadInput, match="belongs to the base model smollm2-135m, not to gpt2"):
            find(tmp_path, 1, "gpt2")

    def test_a_release_with_another_template_is_refused(self, base_home, tmp_path):
        def build(folder):
            write_adapter(folder / "adapter.gguf")
            return ReleaseManifest(base="smollm2-135m", template_sha256="0" * 64)

        Releases(tmp_path).create(build)
        with pytest.raises(BadInput, match="another chat template"):
            find(tmp_path, 1)

    def test_a_release_that_was_not_exported_is_refused(self, base_home, tmp_path):
        Releases(tmp_path).create(lambda _: ReleaseManifest(base="smollm2-135m"))
        with pytest.raises(BadInput, match="export it again"):
            find(tmp_path, 1)

    def test_a_releases_file_is_pinned_by_its_manifest_when_it_is_named_as_a_file_too(self, base_home, tmp_path):
        release = make_release(tmp_path)
        pinned = find(tmp_path, 1).pinned
        assert None not in (pinned.adapter_sha256, pinned.base_sha256)
        assert find(tmp_path, adapter=release.adapter_gguf).pinned == pinned
        other = write_adapter(tmp_path / "other.gguf")
        (tmp_path / "0001").mkdir()
        elsewhere = write_adapter(tmp_path / "0001" / "adapter.gguf")
        for loose in (other, elsewhere):
            assert find(tmp_path, adapter=loose).pinned.adapter_sha256 is None

    def test_a_whole_model_is_refused(self, base_home, tmp_path):
        Releases(tmp_path).create(lambda _: ReleaseManifest(base="smollm2-135m", kind="model"))
        with pytest.raises(BadInput, match="PARLEY_ENGINE_URL"):
            find(tmp_path, 1)


@pytest.mark.parametrize(("cores", "threads"), [(1, 1), (2, 1), (8, 4)])
def test_answers_use_half_of_the_cores_and_prompts_all_of_them(base_home, tmp_path, monkeypatch, cores, threads):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(cores)), raising=False)
    found = parameters(find(tmp_path, 0, None), ServeOptions(), "nonce", "key")
    assert (found.cpuparams.n_threads, found.cpuparams_batch.n_threads) == (threads, cores)


def test_a_shared_engine_answers_sixteen_in_the_memory_of_four(base_home, tmp_path):
    usual = parameters(find(tmp_path, 0, None), ServeOptions(), "nonce", "key")
    assert (usual.n_parallel, usual.n_ctx, usual.kv_unified, usual.cache_idle_slots) == (4, 4 * 4096, False, False)
    shared = parameters(find(tmp_path, 0, None), ServeOptions(parallel=16, unified=True), "nonce", "key")
    assert (shared.n_parallel, shared.n_ctx, shared.kv_unified, shared.cache_idle_slots) == (16, 4 * 4096, True, True)
    assert shared.kv_unified_per_slot == 4096  # no conversation has more than it had
