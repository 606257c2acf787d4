"""The environment of an engine's process: what it needs, by name, and so no secret of the bot or of a round."""

from collections.abc import Mapping

_NAMES = frozenset(
    {
        "PATH",
        "HOME",
        "LANG",
        "LANGUAGE",
        "TZ",
        "TMPDIR",
        "VIRTUAL_ENV",
        "PARLEY_HOME",
        "PARLEY_BASES",
        "PARLEY_BASE",
        "PARLEY_ENGINE_GRACE",
    }
)
# The interpreter and the linker, threads, llama.cpp, and the drivers of graphics cards.
_FAMILIES = ("LC_", "PYTHON", "LD_", "DYLD_", "OMP_", "GOMP_", "KMP_", "GGML_", "CUDA_", "NVIDIA_", "HIP_", "ROCR_")


def engine_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that an engine may have. `.env` is not read here: paths from it are passed on by the caller."""
    return {name: value for name, value in environment.items() if name in _NAMES or name.startswith(_FAMILIES)}
