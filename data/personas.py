"""The personas: those that ship with Parley, in two languages, and the operator's own files.

The operator's are TOML files in the folder `PARLEY_PERSONAS`, by default `personas` in the installation's folder; a
file's name is its persona's. One with the name of a shipped persona replaces it. They are read once a process. A file
with a mistake is no persona, and whoever asks for it is told the mistake.
"""

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from data.errors import BadInput, nearest
from data.home import home, setting

SEED = Path(__file__).with_name("seed")
PERSONAS: tuple[str, ...] = ("assistant", "support", "tutor", "writer")  # those that ship with Parley
LANGUAGES: tuple[str, ...] = ("en", "zh")
LONGEST = 4000  # characters of a system prompt
LONGEST_GREETING = 1000

_NAME = re.compile(r"[\w-]{1,32}")
_RESERVED = ("default",)  # on Discord it means the persona of the wider place
_THINKS = "thinks"
_TEXTS = {"system_prompt": LONGEST, "greeting": LONGEST_GREETING}


@dataclass(frozen=True, slots=True)
class Persona:
    """A character of the bot in one language. `thinks`: the base is asked to think before it answers, if it can."""

    name: str
    language: str
    system_prompt: str
    greeting: str
    thinks: bool = False


def personas_dir() -> Path:
    """The folder with the operator's own personas, which may not exist."""
    configured = setting("PARLEY_PERSONAS")
    return Path(configured).expanduser().absolute() if configured else home() / "personas"


def persona_names() -> tuple[str, ...]:
    """The names of all personas: the shipped ones, then the operator's own; without those whose file is broken."""
    broken = broken_personas(personas_dir())
    shipped = (name for name in PERSONAS if name not in broken)
    return (*shipped, *sorted(set(own_personas(personas_dir())) - set(PERSONAS)))


def persona(name: str, language: str = "en") -> Persona:
    """A persona by name. Raises `BadInput` for an unknown name (with the nearest one) or language, or a bad file."""
    if problem := broken_personas(personas_dir()).get(name):
        raise BadInput(problem)
    if name not in persona_names():
        names = persona_names()
        raise BadInput(f"There is no persona named {name!r}; there are {', '.join(names)}.{nearest(name, names)}")
    if language not in LANGUAGES:
        raise BadInput(f"The personas speak {' and '.join(LANGUAGES)}, not {language!r}.")
    own = own_personas(personas_dir()).get(name)
    if own is not None:
        return own[language]
    return _shipped(name, language)


@cache
def _shipped(name: str, language: str) -> Persona:
    entry = json.loads((SEED / name / "persona.json").read_text(encoding="utf-8"))[language]
    return Persona(name, language, entry["system_prompt"], entry["greeting"])


def thinking_personas(folder: Path) -> list[str]:
    """The names of a folder's personas that ask the base to think."""
    return sorted(name for name, texts in own_personas(folder).items() if texts[LANGUAGES[0]].thinks)


def own_personas(folder: Path) -> Mapping[str, Mapping[str, Persona]]:
    """The personas of a folder's TOML files: by name, then by language."""
    return _own(folder)[0]


def broken_personas(folder: Path) -> Mapping[str, str]:
    """The names of a folder's files that are no personas, each with a sentence about file and mistake."""
    return _own(folder)[1]


@cache
def _own(folder: Path) -> tuple[Mapping[str, Mapping[str, Persona]], Mapping[str, str]]:
    found: dict[str, Mapping[str, Persona]] = {}
    broken: dict[str, str] = {}
    for path in sorted(folder.glob("*.toml")) if folder.is_dir() else ():
        try:
            found[path.stem] = _read(path)
        except BadInput as error:
            broken[path.stem] = str(error)
        except OSError as error:
            broken[path.stem] = f"{path} cannot be read: {error.strerror}."
    return found, broken


def _read(path: Path) -> dict[str, Persona]:
    name = path.stem
    if not _NAME.fullmatch(name) or name != name.lower() or name in _RESERVED:
        raise BadInput(f"{path}: {name!r} cannot name a persona. Use up to 32 small letters, digits, - and _.")
    try:
        entry = tomllib.loads(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise BadInput(f"{path} is not a UTF-8 text file.") from None
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{path} is not valid TOML: {error}.") from None
    known = (*_TEXTS, _THINKS, *LANGUAGES)
    if unknown := [key for key in entry if key not in known]:
        raise BadInput(f"{path}: unknown key {unknown[0]!r}.{nearest(unknown[0], known)}")
    return {language: _in_language(path, entry, language) for language in LANGUAGES}


def _in_language(path: Path, entry: Mapping[str, Any], language: str) -> Persona:
    """The persona in one language: from the language's own table, else from the texts for all languages."""
    special = entry.get(language, {})
    if not isinstance(special, dict) or set(special) - set(_TEXTS):
        raise BadInput(f"{path}: [{language}] may hold {' and '.join(_TEXTS)}, and nothing else.")
    texts: dict[str, str] = {}
    for key, longest in _TEXTS.items():
        text = special.get(key, entry.get(key))
        if not isinstance(text, str) or not text.strip():
            raise BadInput(f'{path}: {key} is missing for the language {language}. Write {key} = "..." at the top.')
        if len(text) > longest:
            raise BadInput(f"{path}: {key} has {len(text)} characters, and {longest} are the most.")
        texts[key] = text.strip()
    thinks = entry.get(_THINKS, False)
    if not isinstance(thinks, bool):
        raise BadInput(f"{path}: {_THINKS} is {thinks!r}. Write true or false, without quotes.")
    return Persona(path.stem, language, **texts, thinks=thinks)
