"""The personas that ship with Parley: each has a system prompt, a greeting and seed rows, in both languages."""

import json
from dataclasses import dataclass
from pathlib import Path

from data.errors import BadInput, nearest

SEED = Path(__file__).with_name("seed")
PERSONAS: tuple[str, ...] = ("assistant", "support", "tutor", "writer")
LANGUAGES: tuple[str, ...] = ("en", "zh")


@dataclass(frozen=True, slots=True)
class Persona:
    """A character of the bot in one language."""

    name: str
    language: str
    system_prompt: str
    greeting: str


def persona(name: str, language: str = "en") -> Persona:
    """One of the shipped personas. Raises `BadInput` for an unknown name (with the nearest one) or language."""
    if name not in PERSONAS:
        raise BadInput(
            f"There is no persona named {name!r}; there are {', '.join(PERSONAS)}.{nearest(name, PERSONAS)}"
        )
    if language not in LANGUAGES:
        raise BadInput(f"The personas speak {' and '.join(LANGUAGES)}, not {language!r}.")
    entry = json.loads((SEED / name / "persona.json").read_text(encoding="utf-8"))[language]
    return Persona(name, language, entry["system_prompt"], entry["greeting"])
