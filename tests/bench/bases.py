"""`python -m tests.bench.bases`: the table of docs/bases.md, what a base needs and takes by arithmetic.

Measured are the rates of SmolLM2-135M alone (docs/speed.md, and the engine's below). Everything else is arithmetic:

    weights      the layers' matrices and the embeddings, from the model's published configuration
    to serve     bits a weight / 8, plus the cache of keys and values for 4 conversations of 4,096 tokens in 16 bits,
                 plus 0.15 GB
    to train     the base's weights as they are held, 16 bytes for each of the adapter's (rank 16 on all linear
    layers),
                 what one step keeps (measured for SmolLM2, times layers x width), and 0.6 GB for the libraries
    a round      SFT on 100 corrections (2 epochs), DPO on 100 preferences (1 epoch), rows as in docs/speed.md, and 50
                 held-out questions answered by two models (300 tokens of prompt, 80 of answer), times the layers'
                 weights
"""

from collections.abc import Iterator
from dataclasses import dataclass

GB = 1e9
_RANK, _STATE = 16, 16  # bytes for a weight of an adapter: itself, its gradient, and Adam's two, in float32
_CONTEXT = 4 * 4096
_ENGINE, _LIBRARIES, _CUDA = 0.15, 0.6, 0.6  # GB
# GB that one DPO step of two pairs keeps for SmolLM2-135M: measured peaks (2.5 and 1.9 GiB) less weights and
# libraries.
_STEP_FLOAT32, _STEP_BF16 = 1.5, 1.2
# Bits a weight. Q4_K_M keeps some matrices in six bits; NF4 with its scales, embeddings in 16.
_Q8_0, _Q4_K_M, _NF4 = 8.5, 4.85, 4.5
# Seconds a row, measured: docs/speed.md, rows of several turns.
_SFT = {"older": 33.5 / 16, "newer": 9.3 / 16}
_DPO = {"older": 60.3 / 16, "newer": 14.95 / 16}
_TOKENS = 200 * 5487 / 16 + 100 * 12_828 / 16  # of a round's training, as measured there
# Tokens that one thread of the engine reads and writes a second, measured on the older processor: base in Q8_0, LoRA.
_READS, _WRITES, _THREADS = 163.0, 60.0, 2
# Operations a second that a GPU keeps up: a third of what a card of 24 GB promises in bf16. Nobody measured it.
_GPU = 50e12


@dataclass(frozen=True, slots=True)
class Shape:
    """A model's shape as its configuration has it, and what its card says. `gated`: its MLP has three matrices."""

    name: str
    width: int
    layers: int
    heads: int
    pairs: int  # heads of keys and values
    head: int
    inner: int
    words: int
    languages: str
    licence: str
    tied: bool = True
    gated: bool = True

    @property
    def matrices(self) -> list[tuple[int, int]]:
        """The linear layers of one block: inputs and outputs."""
        attention = self.heads * self.head
        other = self.pairs * self.head
        mlp = [(self.width, self.inner)] * (2 if self.gated else 1) + [(self.inner, self.width)]
        return [(self.width, attention), (self.width, other), (self.width, other), (attention, self.width), *mlp]

    @property
    def inside(self) -> int:
        """The weights of all layers."""
        return self.layers * sum(one * other for one, other in self.matrices)

    @property
    def embeddings(self) -> int:
        """The weights of the embeddings and of the head."""
        return self.words * self.width * (1 if self.tied else 2)

    @property
    def weights(self) -> int:
        """All weights."""
        return self.inside + self.embeddings


SMOLLM2 = Shape("SmolLM2-135M", 576, 30, 9, 3, 64, 1536, 49_152, "English", "Apache-2.0")
SHAPES = (
    SMOLLM2,
    Shape("GPT-2", 768, 12, 12, 12, 64, 3072, 50_257, "English", "MIT", gated=False),
    Shape("SmolLM2-360M", 960, 32, 15, 5, 64, 2560, 49_152, "English", "Apache-2.0"),
    Shape("Qwen3-0.6B", 1024, 28, 16, 8, 128, 3072, 151_936, "about 100", "Apache-2.0"),
    Shape("Gemma 3 1B", 1152, 26, 4, 1, 256, 6912, 262_144, "mostly English", "Gemma"),
    Shape("Llama 3.2 1B", 2048, 16, 32, 8, 64, 8192, 128_256, "8", "Llama 3.2"),
    Shape("OLMo 2 1B", 2048, 16, 16, 16, 128, 8192, 100_352, "English", "Apache-2.0", tied=False),
    Shape("Qwen3-1.7B", 2048, 28, 16, 8, 128, 6144, 151_936, "about 100", "Apache-2.0"),
    Shape("SmolLM3-3B", 2048, 36, 16, 4, 128, 11_008, 128_256, "6", "Apache-2.0"),
    Shape("Llama 3.2 3B", 3072, 28, 24, 8, 128, 8192, 128_256, "8", "Llama 3.2"),
    Shape("Phi-4-mini", 3072, 32, 24, 8, 128, 8192, 200_064, "23", "MIT"),
    Shape("Qwen3-4B", 2560, 36, 32, 8, 128, 9728, 151_936, "about 100", "Apache-2.0"),
    Shape("Mistral 7B", 4096, 32, 32, 8, 128, 14_336, 32_768, "mostly English", "Apache-2.0", tied=False),
    Shape("Qwen3-8B", 4096, 36, 32, 8, 128, 12_288, 151_936, "about 100", "Apache-2.0", tied=False),
)


def to_serve(shape: Shape, bits: float) -> float:
    """The memory of an engine, in GB."""
    cache = 2 * shape.layers * shape.pairs * shape.head * 2 * _CONTEXT
    return (shape.weights * bits / 8 + cache) / GB + _ENGINE


def to_train(shape: Shape, *, held: float, step: float, where: float) -> float:
    """The memory of a stage, in GB. `held` is what the base takes, `step` what SmolLM2's step keeps."""
    adapter = _RANK * shape.layers * sum(one + other for one, other in shape.matrices) * _STATE
    kept = step * shape.layers * shape.width / (SMOLLM2.layers * SMOLLM2.width)
    return held + adapter / GB + kept + where


def minutes(shape: Shape, machine: str) -> float:
    """Minutes of a round on two cores of a processor: `older` or `newer`."""
    trained = 200 * _SFT[machine] + 100 * _DPO[machine]
    asked = 50 * 2 * (300 / _READS + 80 / _WRITES) / _THREADS
    return (trained + asked) * shape.inside / SMOLLM2.inside / 60


def minutes_on_gpu(shape: Shape) -> float:
    """Minutes of a round's training on a GPU: a forward pass and the gradients of what flows through."""
    return 4 * shape.inside * _TOKENS / _GPU / 60


def rows() -> Iterator[str]:
    """The table's lines, in Markdown."""
    yield (
        "| base | weights | serve Q8_0 | serve Q4_K_M | LoRA float32 | LoRA bf16 | QLoRA (GPU) | round, 2 older "
        "cores | 2 newer cores | a GPU trains it in | languages | licence |"
    )
    yield "|---|---|---|---|---|---|---|---|---|---|---|---|"
    for shape in SHAPES:
        nf4 = (shape.inside * _NF4 / 8 + shape.embeddings * 2) / GB
        cells = [
            shape.name,
            f"{shape.weights / GB:.2f} B",
            f"{to_serve(shape, _Q8_0):.1f} GB",
            f"{to_serve(shape, _Q4_K_M):.1f} GB",
            f"{to_train(shape, held=shape.weights * 4 / GB, step=_STEP_FLOAT32, where=_LIBRARIES):.1f} GB",
            f"{to_train(shape, held=shape.weights * 2 / GB, step=_STEP_BF16, where=_LIBRARIES):.1f} GB",
            f"{to_train(shape, held=nf4, step=_STEP_BF16, where=_CUDA):.1f} GB",
            spoken(minutes(shape, "older")),
            spoken(minutes(shape, "newer")),
            spoken(minutes_on_gpu(shape)),
            shape.languages,
            shape.licence,
        ]
        yield f"| {' | '.join(cells)} |"


def spoken(count: float) -> str:
    """Minutes as people read them."""
    if count < 1:
        return f"{count * 60:.0f} s"
    return f"{count:.0f} min" if count < 120 else f"{count / 60:.0f} h"


if __name__ == "__main__":
    print("\n".join(rows()))
