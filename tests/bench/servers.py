"""What `tests.bench.serving` compares: each a separate process, asked the same by the same client.

The bench starts this module as a process, too: then it is plain `generate` on standard input and output.
"""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, cast

from data.bases import DEFAULT_BASE
from data.chat import Message
from data.errors import BadInput, ParleyError
from data.home import bases_dir
from data.merged_files import MERGED
from data.personas import SEED, persona
from tests.engine_key import key_of

ROOT = Path(__file__).parents[2]
START = 600.0  # seconds that a server may take to start; vLLM compiles the model first
# As many tokens in the cache as the embedded engine has, 4 times 4,096, in small pages, because only whole pages are
# reused.
# Without these `transformers serve` takes nine tenths of the memory and is slower.
CACHE = ("--cb-block-size", "32", "--cb-num-blocks", "512", "--cb-max-batch-tokens", "512")
# The embedded engine, in both forms of a release; then merged with 16 slots that share the memory of 4.
OURS = ("lora", "merged", "unified")
SYSTEM = Message(role="system", content=persona("assistant", "en").system_prompt)


def exchanges() -> list[list[Message]]:
    """The seed demonstrations in English, a question and its answer each."""
    paths = sorted(SEED.glob("*/demonstrations.en.jsonl"))
    rows = [json.loads(line) for path in paths for line in path.read_text(encoding="utf-8").splitlines()]
    return [row["messages"][-2:] for row in rows]


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer: seconds to its first text and to its end, its tokens, the prompt's tokens, and its text."""

    first: float
    seconds: float
    tokens: int
    prompt: int
    text: str


def model_folder() -> Path:
    """The base model in transformers' format."""
    folder = bases_dir() / DEFAULT_BASE / "hf"
    if not (folder / "config.json").is_file():
        raise BadInput(f"The base model is not in {folder}: run `make setup` once.")
    return folder


def lacking(python: str) -> str | None:
    """Why `transformers serve` cannot run with that Python, in a sentence; None when it can."""
    imports = [python, "-c", "import accelerate, fastapi, uvicorn, transformers"]
    try:
        done = subprocess.run(imports, capture_output=True, check=False)
    except OSError as error:
        raise BadInput(f"--serve_python {python}: {(error.strerror or str(error)).lower()}.") from error
    if not done.returncode:
        return None
    return (
        f"`transformers serve` is left out: {python} lacks accelerate, fastapi or uvicorn. Install "
        "transformers[serving] and accelerate in an environment of its own and name its Python with --serve_python."
    )


class Process:
    """A process that ends with the block; then `memory` is its peak memory in bytes."""

    def __init__(self, command: list[str], **more: Any) -> None:
        self.words: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the process
        quiet = {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "PARLEY_BASES": str(bases_dir())}
        quiet |= {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
        self.child: Any = subprocess.Popen(
            command, cwd=ROOT, env=os.environ | quiet, stderr=self.words, start_new_session=True, **more
        )
        self.command = " ".join(command[1:4])
        self.memory = 0

    def stopped(self) -> ParleyError:
        """The error with the process's last output."""
        self.words.seek(0)
        output = self.words.read().decode(errors="replace")[-2000:].strip()
        return ParleyError(f"`{self.command} ...` stopped: {output}")

    def end(self) -> None:
        """End it with the processes that it started, which vLLM's own end leaves behind. Idempotent."""
        try:
            self._end()
        finally:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.child.pid, signal.SIGKILL)

    def _end(self) -> None:
        for number, patience in ((signal.SIGTERM, 10.0), (signal.SIGKILL, 60.0)):
            if self.child.returncode is not None:
                return
            os.kill(self.child.pid, number)
            deadline = time.monotonic() + patience
            while time.monotonic() < deadline:
                pid, status, usage = os.wait4(self.child.pid, os.WNOHANG)
                if pid:
                    self.child.returncode = os.waitstatus_to_exitcode(status)
                    self.memory = usage.ru_maxrss * 1024
                    return
                time.sleep(0.05)


class HttpServer:
    """An OpenAI-compatible server, asked over HTTP."""

    def __init__(self, process: Process, url: str, model: str, extra: dict[str, Any], api_key: str = "none") -> None:
        import openai

        self.process, self.model, self.extra = process, model, extra
        self.client = openai.AsyncOpenAI(
            base_url=url,
            api_key=api_key,
            max_retries=0,
            timeout=openai.Timeout(1800, connect=10),
            default_headers={"Connection": "close"},  # as in the bot: a kept connection may end just as it is used
            http_client=openai.DefaultAsyncHttpxClient(trust_env=False),
        )

    async def ask(self, conversations: list[list[Message]], max_tokens: int) -> list[Reply]:
        """All at once, in the order given."""
        return await asyncio.gather(*(self._one(messages, max_tokens) for messages in conversations))

    async def _one(self, messages: list[Message], max_tokens: int) -> Reply:
        import openai

        began = time.perf_counter()
        first, text, usage = None, "", None
        try:
            stream: Any = await self.client.chat.completions.create(
                model=self.model,
                messages=cast("Any", messages),
                temperature=0,
                max_tokens=max_tokens,
                stream=True,
                **self.extra,
            )
            async for chunk in stream:
                usage = chunk.usage or usage
                if chunk.choices and (piece := chunk.choices[0].delta.content):
                    first = first or time.perf_counter() - began
                    text += piece
        except openai.OpenAIError as error:
            raise self.process.stopped() from error
        if usage is None:
            raise self.process.stopped()
        seconds = time.perf_counter() - began
        return Reply(first or seconds, seconds, usage.completion_tokens, usage.prompt_tokens, text)

    async def close(self) -> int:
        """End it; returns its peak memory in bytes."""
        await self.client.close()
        self.process.end()
        return self.process.memory


class Generate:
    """Plain `generate` of transformers: one padded batch of all conversations, no HTTP, no cache between turns."""

    def __init__(self, process: Process) -> None:
        self.process = process

    async def ask(self, conversations: list[list[Message]], max_tokens: int) -> list[Reply]:
        """All at once, in the order given."""
        child = self.process.child
        child.stdin.write(json.dumps([conversations, max_tokens]).encode() + b"\n")
        child.stdin.flush()
        line = await asyncio.to_thread(child.stdout.readline)
        if not line:
            raise self.process.stopped()
        return [Reply(**one) for one in json.loads(line)]

    async def close(self) -> int:
        """End it; returns its peak memory in bytes."""
        self.process.end()
        return self.process.memory


@dataclass(frozen=True, slots=True)
class Settings:
    """How the ways are started: `adapter` has a merged file beside it, `vllm` is the program's path."""

    dtype: str
    serve_python: str
    parallel: int
    adapter: Path
    vllm: str = ""


async def start(way: str, settings: Settings) -> HttpServer | Generate:
    """Start one of the ways; it is ready when this returns."""
    if way in OURS:
        return await _start_ours(way, settings)
    folder = str(model_folder())
    if way == "generate":
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        return Generate(Process([sys.executable, "-m", "tests.bench.servers", folder, settings.dtype], **pipes))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = _serve(folder, settings) if way == "serve" else _vllm(folder, settings)
    process = Process([*command, "--host", "127.0.0.1", "--port", str(port)], stdout=subprocess.DEVNULL)
    await _listening(process, port)
    extra = {"stream_options": {"include_usage": True}} if way == "vllm" else {}
    return HttpServer(process, f"http://127.0.0.1:{port}/v1", folder, extra)


async def _start_ours(way: str, settings: Settings) -> HttpServer:
    form, slots = (MERGED, 16) if way == "unified" else (way, settings.parallel)
    arguments = ["--with-parent", "--base", DEFAULT_BASE, "--adapter", str(settings.adapter), "--served", form]
    arguments += ["--parallel", str(slots), *(["--unified"] if way == "unified" else [])]
    process = Process([sys.executable, "-m", "bot.engine", *arguments], stdout=subprocess.PIPE)
    line = await asyncio.to_thread(process.child.stdout.readline)
    if not line:
        raise process.stopped()
    told = json.loads(line)
    return HttpServer(process, told["url"], "", {"stream_options": {"include_usage": True}}, key_of(told))


def _serve(folder: str, settings: Settings) -> list[str]:
    command = [settings.serve_python, "-m", "transformers.cli.transformers", "serve", folder]
    return [*command, "--dtype", settings.dtype, "--continuous-batching", *CACHE]


def _vllm(folder: str, settings: Settings) -> list[str]:
    return [settings.vllm, "serve", folder, "--dtype", settings.dtype, "--max-model-len", "4096"]


async def _listening(process: Process, port: int) -> None:
    deadline = time.monotonic() + START
    while process.child.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            await asyncio.sleep(0.2)
        else:
            return
    process.end()
    raise process.stopped()


def generate(folder: str, dtype: str) -> None:
    """Answer each line of standard input (JSON: conversations, most tokens of an answer) with a line."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from alignment.quiet import quiet

    quiet()
    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype)).to(device).eval()

    class Clock:
        """Receives the prompt, then each token."""

        def __init__(self) -> None:
            self.at: list[float] = []

        def put(self, _tokens: Any) -> None:
            self.at.append(time.perf_counter())

        def end(self) -> None: ...

    for line in sys.stdin:
        conversations, max_tokens = json.loads(line)
        began, clock = time.perf_counter(), Clock()
        batch = tokenizer.apply_chat_template(
            conversations, add_generation_prompt=True, padding=True, return_dict=True, return_tensors="pt"
        ).to(device)
        with torch.inference_mode():
            out = model.generate(**batch, max_new_tokens=max_tokens, do_sample=False, streamer=clock)
        seconds = time.perf_counter() - began
        output = out[:, batch["input_ids"].shape[1] :].tolist()
        replies = []
        for tokens, prompt in zip(output, batch["attention_mask"].sum(1).tolist(), strict=True):
            end = tokenizer.eos_token_id
            kept = tokens[: tokens.index(end) + 1] if end in tokens else tokens
            text = tokenizer.decode(kept, skip_special_tokens=True)
            replies.append(asdict(Reply(clock.at[1] - began, seconds, len(kept), prompt, text)))
        print(json.dumps(replies), flush=True)


if __name__ == "__main__":
    generate(*sys.argv[1:])
