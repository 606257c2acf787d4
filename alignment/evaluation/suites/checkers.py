"""The checkable instructions of IFEval (Zhou et al., "Instruction-Following Evaluation for LLMs", 2023).

Each is a small pure function `(answer, arguments) -> bool`; the arguments are named as in the public prompts. All are
strict: the answer is judged as it is, without leaving out a first or last line. They are written from the
instructions' definitions, for English and Chinese, and need neither a network nor a tokenizer's data.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from alignment.evaluation.suites.text import paragraphs, sentences, words
from data.language_of import LANGUAGES, language

Arguments = Mapping[str, Any]
Checker = Callable[[str, Arguments], bool]

_HAN_END = re.compile(r"[\u3400-\u9fff]")
_FENCE = re.compile(r"^```\w*\s*\n?(.*?)\n?```$", re.DOTALL)
# The public prompts state these in their text and do not carry them as arguments.
_CHOICES = ("my answer is yes.", "my answer is no.", "my answer is maybe.")


def relation(count: int, word: str | None, limit: int) -> bool:
    """Whether a count is `at least` (the default) or `less than` a limit; other words raise `KeyError`."""
    return {"at least": count >= limit, "less than": count < limit}[word or "at least"]


def occurrences(text: str, word: str) -> int:
    """How often a word occurs as a whole, case ignored. Chinese has no spaces: there every occurrence counts."""
    left = "" if _HAN_END.match(word[:1]) or not word[:1].isalnum() else r"(?<!\w)"
    right = "" if _HAN_END.match(word[-1:]) or not word[-1:].isalnum() else r"(?!\w)"
    return len(re.findall(left + re.escape(word) + right, text, re.IGNORECASE))


def keywords_exist(answer: str, arguments: Arguments) -> bool:
    """Every keyword occurs, be it within a longer word ("mother" in "mothers")."""
    return all(word.casefold() in answer.casefold() for word in arguments["keywords"])


def keyword_frequency(answer: str, arguments: Arguments) -> bool:
    """A keyword occurs as a whole as often as asked."""
    return relation(occurrences(answer, arguments["keyword"]), arguments.get("relation"), arguments["frequency"])


def no_forbidden_words(answer: str, arguments: Arguments) -> bool:
    """None of the forbidden words occurs as a whole."""
    return not any(occurrences(answer, word) for word in arguments["forbidden_words"])


def letter_frequency(answer: str, arguments: Arguments) -> bool:
    """A letter or sign occurs as often as asked, case ignored."""
    count = answer.casefold().count(arguments["letter"].casefold())
    return relation(count, arguments.get("let_relation"), arguments["let_frequency"])


def in_language(answer: str, arguments: Arguments) -> bool:
    """The whole answer is in this language. An answer whose language cannot be decided fails."""
    return language(answer) == str(arguments["language"])


def number_of_words(answer: str, arguments: Arguments) -> bool:
    """As many words as asked; a Chinese character counts as one."""
    return relation(len(words(answer)), arguments.get("relation"), arguments["num_words"])


def number_of_sentences(answer: str, arguments: Arguments) -> bool:
    """As many sentences as asked."""
    return relation(len(sentences(answer)), arguments.get("relation"), arguments["num_sentences"])


def number_of_paragraphs(answer: str, arguments: Arguments) -> bool:
    """Exactly as many paragraphs as asked, divided by `***`; an empty one in between does not pass."""
    parts = [part.strip() for part in re.split(r"\*\*\*", answer)]
    inner = parts[bool(not parts[0]) : len(parts) - bool(len(parts) > 1 and not parts[-1])]
    return all(inner) and len(inner) == int(arguments["num_paragraphs"])


def nth_paragraph_first_word(answer: str, arguments: Arguments) -> bool:
    """Exactly as many paragraphs as asked, divided by empty lines, and the nth begins with this word."""
    parts = paragraphs(answer)
    nth, wanted = int(arguments["nth_paragraph"]), str(arguments["first_word"]).casefold()
    if len(parts) != arguments["num_paragraphs"] or not 1 <= nth <= len(parts):
        return False
    beginning = parts[nth - 1].lstrip("\"'*_#([{“‘「 ").casefold()
    if _HAN_END.match(wanted[:1]):
        return beginning.startswith(wanted)
    return [word.casefold() for word in words(beginning)[:1]] == [wanted]


def placeholders(answer: str, arguments: Arguments) -> bool:
    """At least as many placeholders in square brackets as asked."""
    return len(re.findall(r"\[[^\[\]\n]+\]", answer)) >= int(arguments["num_placeholders"])


def postscript(answer: str, arguments: Arguments) -> bool:
    """A line, or the rest of one, begins with the marker (`P.S.` or `P.P.S`) and text follows it."""
    letters = re.sub(r"[^a-z]", "", arguments["postscript_marker"].casefold())
    if not letters:
        return arguments["postscript_marker"] in answer
    dotted = r"\.\s?".join(letters)
    return bool(re.search(rf"(?:^|\s){dotted}\b\.?[:：]?\s*\w", answer, re.IGNORECASE))


def bullets(answer: str, arguments: Arguments) -> bool:
    """As many bullet points as asked, exactly, as in Markdown: lines that begin with `*`, `-` or `•` and a space."""
    return len(re.findall(r"^[ \t]*[*•-][ \t]+.*\w", answer, re.MULTILINE)) == int(arguments["num_bullets"])


def constrained(answer: str, arguments: Arguments) -> bool:
    """One of the allowed answers occurs (`choices`, else IFEval's yes, no and maybe)."""
    return any(choice.casefold() in answer.casefold() for choice in arguments.get("choices", _CHOICES))


def highlights(answer: str, arguments: Arguments) -> bool:
    """At least as many parts *highlighted* or **highlighted** as asked."""
    double = re.findall(r"\*\*[^\n*]*[^\s*][^\n*]*\*\*", answer)
    single = re.findall(r"\*[^\n*]*[^\s*][^\n*]*\*", re.sub(r"\*\*[^\n*]*\*\*", " ", answer))
    return len(double) + len(single) >= int(arguments["num_highlights"])


def sections(answer: str, arguments: Arguments) -> bool:
    """At least as many sections as asked, each marked with the splitter and a number."""
    marker = rf"(?:^|\s|[*#]){re.escape(arguments['section_spliter'])}\s*\d+"
    return len(re.findall(marker, answer)) >= int(arguments["num_sections"])


def is_json(answer: str, arguments: Arguments) -> bool:  # noqa: ARG001 - all checkers take both
    """The whole answer is JSON, in a Markdown fence or not."""
    stripped = answer.strip()
    fenced = _FENCE.match(stripped)
    try:
        json.loads(fenced.group(1) if fenced else stripped)
    except (ValueError, RecursionError):
        return False
    return True


def title(answer: str, arguments: Arguments) -> bool:  # noqa: ARG001 - as all checkers'
    """There is a title in double angular brackets, `<<title>>`."""
    return bool(re.search(r"<<[^\n<>]*[^\s<>][^\n<>]*>>", answer))


def two_responses(answer: str, arguments: Arguments) -> bool:  # noqa: ARG001 - as all checkers'
    """Exactly two different answers, divided by six asterisks."""
    parts = [part.strip() for part in answer.split("******")]
    return len(parts) == 2 and all(parts) and parts[0] != parts[1]


def repeat_prompt(answer: str, arguments: Arguments) -> bool:
    """The answer begins with the request, word for word but for case."""
    return answer.strip().casefold().startswith(str(arguments["prompt_to_repeat"]).strip().casefold())


def ends_with(answer: str, arguments: Arguments) -> bool:
    """The answer ends with this phrase; quotation marks around the whole do not count."""
    ending = str(arguments["end_phrase"]).strip().casefold()
    return answer.strip().strip('"“”').rstrip().casefold().endswith(ending)


def quotation(answer: str, arguments: Arguments) -> bool:  # noqa: ARG001 - as all checkers'
    """The whole answer stands in double quotation marks, straight, curly or Chinese."""
    stripped = answer.strip()
    return len(stripped) > 2 and (stripped[0], stripped[-1]) in {('"', '"'), ("“", "”"), ("「", "」")}


def upper_case(answer: str, arguments: Arguments) -> bool:  # noqa: ARG001 - as all checkers'
    """English, and all letters are capitals."""
    return answer.isupper() and _latin(answer)


def lower_case(answer: str, arguments: Arguments) -> bool:  # noqa: ARG001 - as all checkers'
    """English, and no letter is a capital."""
    return answer.islower() and _latin(answer)


def capital_words(answer: str, arguments: Arguments) -> bool:
    """As many words in capitals only as asked; "I" and "A" are such words."""
    count = sum(word.isupper() for word in words(answer))
    return relation(count, arguments.get("capital_relation"), arguments["capital_frequency"])


def no_comma(answer: str, arguments: Arguments) -> bool:  # noqa: ARG001 - as all checkers'
    """No comma, English or Chinese."""
    return not set(answer) & {",", "，"}


def _latin(text: str) -> bool:
    letters = [sign for sign in text if sign.isalpha()]
    return sum(sign.isascii() for sign in letters) > 0.9 * len(letters)


CHECKERS: dict[str, Checker] = {
    "change_case:capital_word_frequency": capital_words,
    "change_case:english_capital": upper_case,
    "change_case:english_lowercase": lower_case,
    "combination:repeat_prompt": repeat_prompt,
    "combination:two_responses": two_responses,
    "detectable_content:number_placeholders": placeholders,
    "detectable_content:postscript": postscript,
    "detectable_format:constrained_response": constrained,
    "detectable_format:json_format": is_json,
    "detectable_format:multiple_sections": sections,
    "detectable_format:number_bullet_lists": bullets,
    "detectable_format:number_highlighted_sections": highlights,
    "detectable_format:title": title,
    "keywords:existence": keywords_exist,
    "keywords:forbidden_words": no_forbidden_words,
    "keywords:frequency": keyword_frequency,
    "keywords:letter_frequency": letter_frequency,
    "language:response_language": in_language,
    "length_constraints:nth_paragraph_first_word": nth_paragraph_first_word,
    "length_constraints:number_paragraphs": number_of_paragraphs,
    "length_constraints:number_sentences": number_of_sentences,
    "length_constraints:number_words": number_of_words,
    "punctuation:no_comma": no_comma,
    "startend:end_checker": ends_with,
    "startend:quotation": quotation,
}


def known(instruction: str, arguments: Arguments) -> bool:
    """Whether an instruction can be checked here: its id is known and, for a language, the language is too."""
    return plain(instruction) in CHECKERS and arguments.get("language", "en") in LANGUAGES


def followed(answer: str, instruction: str, arguments: Arguments) -> bool:
    """Whether an answer follows a known instruction. An empty answer follows none."""
    return bool(answer.strip()) and CHECKERS[plain(instruction)](answer, arguments)


def plain(instruction: str) -> str:
    """An instruction's id without the language that multilingual versions put before it (`en:`)."""
    head, _, rest = instruction.partition(":")
    return rest if len(head) == 2 and rest else instruction
