"""Releases on a real vLLM: load, compare with PEFT, trial, promote, rollback, restart. `make test-vllm` runs this.

VLLM names the program, from an environment of its own (`tests/vllm/install.sh`). The adapters are random: what they
say is nonsense, and must be the same nonsense in vLLM as in PEFT.
"""

import asyncio
import json
import time
import urllib.request

import pytest

from bot.engine import following, unused, vllm
from bot.engine.api import EngineError, Finished, Sampling
from bot.engine.open import open_engine
from bot.trial import Trial
from data.bases import DEFAULT_BASE, base_info
from data.chat import load_template, template_sha256
from data.release_manifest import ReleaseManifest
from data.releases import Releases
from data.same_tokens import trained_ids
from tests.vllm.program import OPENER, free_port, needs_vllm, running

pytestmark = [pytest.mark.base, pytest.mark.timeout(1800), needs_vllm]
HELLO = [{"role": "user", "content": "What is the capital of France?"}]
LIMIT = 1e-3  # nats, float32 on both sides; 1e-5 was measured


def make_release(home, seed, model):
    """A release with a random adapter, and what PEFT says with it: log-probabilities of the next token."""
    import torch
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(seed)
    config = LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
    adapted = get_peft_model(model, config)
    for name, weights in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weights, std=0.02)

    def build(folder):
        adapted.save_pretrained(folder / "adapter")
        base = base_info(DEFAULT_BASE)
        return ReleaseManifest(
            base=DEFAULT_BASE,
            base_sha256=base.sha256,
            template_sha256=template_sha256(load_template(base.template_name)),
        )

    Releases(home).create(build)
    said = log_probs(adapted)
    return adapted.unload(), said


def log_probs(model):
    import torch

    with torch.no_grad():
        return [
            torch.log_softmax(model(input_ids=torch.tensor([ids])).logits[0, -1].float(), -1)
            for _, ids in trained_ids(base_info(DEFAULT_BASE))
        ]


def post(url, path, body):
    request = urllib.request.Request(url + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with OPENER.open(request, timeout=300) as response:
        return json.load(response)


def gap(url, model, wanted):
    """The mean difference of vLLM's log-probabilities from PEFT's in nats, over its 20 likeliest tokens."""
    differences = []
    for (_, ids), row in zip(trained_ids(base_info(DEFAULT_BASE)), wanted, strict=True):
        body = {"model": model, "prompt": ids, "max_tokens": 1, "temperature": 0, "logprobs": 20}
        body["return_tokens_as_token_ids"] = True
        listed = post(url, "/completions", body)["choices"][0]["logprobs"]["top_logprobs"][0]
        differences += [
            abs(value - float(row[int(name.removeprefix("token_id:"))])) for name, value in listed.items()
        ]
    return sum(differences) / len(differences)


async def answered(engine, tokens=8):
    async with engine.session() as session:
        events = [event async for event in session.stream(HELLO, Sampling(max_tokens=tokens, temperature=0))]
        assert isinstance(events[-1], Finished)
        return session.release


async def until(engine, release):
    async with asyncio.timeout(60):
        while await answered(engine, 1) != release:  # noqa: ASYNC110 - the change is in a file
            await asyncio.sleep(0.2)


async def test_releases_are_served_compared_promoted_rolled_back_and_survive_a_restart(
    base_home, tmp_path, monkeypatch
):
    from transformers import AutoModelForCausalLM

    for name in ("URL", "MODEL", "API_KEY", "RELEASES", "ADAPTERS"):
        monkeypatch.delenv(f"PARLEY_ENGINE_{name}", raising=False)
    monkeypatch.setattr(following, "FORGET", 1.0)
    monkeypatch.setattr(unused, "UNUSED", 3.0)
    folder = base_home / DEFAULT_BASE / "hf"
    home, port, log = tmp_path / "home", free_port(), tmp_path / "vllm.log"
    home.mkdir()
    model = AutoModelForCausalLM.from_pretrained(folder, dtype="float32")
    plain = log_probs(model)
    model, first = make_release(home, 1, model)
    model, second = make_release(home, 2, model)
    del model
    releases, url = Releases(home), f"http://127.0.0.1:{port}/v1"
    names = {number: vllm.adapter_of(home, number, "vLLM").name for number in (1, 2)}

    def held():
        with OPENER.open(f"{url}/models", timeout=30) as response:
            return sorted(each["id"] for each in json.load(response)["data"] if each["parent"])

    def note(what):
        print(f"{time.monotonic() - began:6.1f} s  {what}", flush=True)

    began = time.monotonic()
    engines = []

    async def opened(release=None):
        engines.append(await open_engine(home, url=url, release=release))
        return engines[-1]

    trial = Trial(home, opened, share=1.0)
    try:
        with running(folder, port, log):
            note("vLLM answers")
            engine = await opened()
            assert await answered(engine) == 0
            found = gap(url, str(folder), plain)
            note(f"release 0 answers, {found:.1e} nats from transformers")
            assert found < LIMIT
            releases.promote(1)
            await until(engine, 1)
            found, apart = gap(url, names[1], first), gap(url, names[1], plain)
            note(f"promoted: {names[1]} answers, {found:.1e} nats from PEFT, {apart:.2f} from the base")
            assert found < LIMIT < 0.05 < apart
            releases.put_on_trial(2)
            async with trial.engine(beside=1) as candidate:
                assert candidate is not None
                assert await asyncio.gather(answered(engine), answered(candidate)) == [1, 2]
            found, apart = gap(url, names[2], second), gap(url, names[2], first)
            note(f"on trial: {names[2]} answers beside it, {found:.1e} nats from PEFT, {apart:.2f} from release 1")
            assert found < LIMIT < 0.05 < apart
            answers = [asyncio.create_task(answered(engine, 64)) for _ in range(6)]
            await asyncio.sleep(0.5)
            releases.promote(2)
            await until(engine, 2)
            answers += [asyncio.create_task(answered(engine, 16)) for _ in range(6)]
            note(f"promoted while 12 answers ran: of the releases {await asyncio.gather(*answers)}, none failed")
            await asyncio.sleep(6)
            assert held() == [names[2]]
            note(f"what nobody needs was taken out: {held()} is left")
            releases.rollback()
            await until(engine, 1)
            note("rolled back: release 1 answers")
        with pytest.raises(EngineError):
            await answered(engine)
        note("vLLM was ended: an answer fails with a sentence")
        with running(folder, port, log):
            assert held() == []
            note("vLLM was started again, without any adapter")
            assert await asyncio.gather(*(answered(engine) for _ in range(4))) == [1] * 4
            assert held() == [names[1]]
            found = gap(url, names[1], first)
            note(f"4 answers at once: release 1 is there again, {found:.1e} nats from PEFT, none failed")
            assert found < LIMIT
    finally:
        await trial.close()
        for each in engines:
            await each.close()
