"""What a model's card says of it: the licence and the languages."""

import re
from pathlib import Path
from typing import Any

UNKNOWN = "unknown"
_FRONT = re.compile(r"\A---\s*\n(.*?)\n---\s*$", re.DOTALL | re.MULTILINE)
# The first words of the texts of well-known licences, in lower case.
_TEXTS = {"apache license": "apache-2.0", "mit license": "mit", "gemma terms of use": "gemma"}


def licence_of(folder: Path) -> str:
    """The licence as the model card names it (`apache-2.0`), else as its own file begins, else "unknown"."""
    front = _front_matter(folder)
    said = front.get("license")
    names = [str(each) for each in (said if isinstance(said, list) else [said]) if each]
    if names == ["other"] and front.get("license_name"):
        names = [str(front["license_name"])]
    if names and names != ["other"]:
        return ", ".join(names)
    for path in sorted([*folder.glob("LICEN[SC]E*"), *folder.glob("COPYING*")]):
        with path.open(encoding="utf-8", errors="replace") as file:
            beginning = " ".join(file.read(400).split()).lower()
        known = [name for words, name in _TEXTS.items() if words in beginning]
        return known[0] if known else f"see {path.name}"
    return names[0] if names else UNKNOWN


def languages_of(folder: Path) -> tuple[str, ...]:
    """The languages that the model card lists; empty if it lists none."""
    said = _front_matter(folder).get("language")
    return tuple(str(each) for each in (said if isinstance(said, list) else [said]) if each)


def _front_matter(folder: Path) -> dict[str, Any]:
    import yaml

    try:
        found = _FRONT.search((folder / "README.md").read_text(encoding="utf-8", errors="replace"))
        front = yaml.safe_load(found[1]) if found else None
    except (OSError, yaml.YAMLError):
        return {}
    return front if isinstance(front, dict) else {}
