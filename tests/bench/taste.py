"""A simulated server's people: what they ask, what they like, and how they rate.

The taste is known, so that a bench can measure what a round taught: short answers, in a friendly tone, to the point,
that end by themselves and with an offer to help.
"""

import math
import random
import re
from dataclasses import dataclass

_THINGS = """a bicycle|a kettle|a leaking tap|a wool jumper|sourdough bread|a tomato plant|a guitar string
a garden shed|a wooden table|a job interview|a birthday party|a mobile phone|a kitchen knife|a flat tyre
a school essay|a small budget
a cat that scratches|a barking dog|a long train trip|a first marathon|a noisy neighbour
a lost passport|green tea|a vegetable soup|an old laptop|a camping tent|a fish tank|a bad cold|a picture frame
a bookshelf|a rice cooker|a winter coat|a coffee stain|a broken zip|a chess opening|a slow computer
a new language|a weekly menu|a balcony garden|a house move|a thank-you letter|a wedding speech
a swimming lesson|a sleepless night|a power cut|a bus timetable|a second-hand car|a child's homework
a photo album|a running shoe|a squeaky door|a salad dressing|a smoke alarm|a thunderstorm|a beehive
a compost heap|a blunt pencil|a stiff neck|a parking ticket|a recipe for pancakes|a stuck window
a library card|a beginner's yoga class|a desk lamp|a sunburn|a gym routine|a water filter|a rainy weekend
a board game night|a cast-iron pan""".replace("\n", "|").split("|")
_FORMS = (
    "How do I deal with {}?",
    "What should I know about {} before I start?",
    "My friend keeps talking about {}. Why does it matter?",
    "Can you give me one good tip for {}?",
    "I made a mistake with {} yesterday. What now?",
    "What does it cost, roughly, to get help with {}?",
    "Is it safe for a beginner to try {} alone?",
    "Which tools or things do people need for {}?",
    "Explain {} to my ten-year-old, please.",
    "How long does it usually take with {}?",
    "What do people get wrong about {}?",
    "I have ten minutes. What can I do about {}?",
    "Any advice on {} for somebody who is nervous?",
    "Where would you look first for help with {}?",
    "What is the cheapest way to get on with {}?",
    "Tell me something useful about {}.",
    "Why is everybody so strict about {}?",
    "What would you ask an expert about {}?",
    "How can two people share the work with {}?",
    "What should I write down about {} for next time?",
)
_FRIENDLY = re.compile(
    r"\b(glad|happy|sure|thank|thanks|welcome|great|good luck|enjoy|hope|please|of course|no worries|lovely)\b|!",
    re.IGNORECASE,
)
_OFFER = re.compile(
    r"(let me know|feel free|happy to help|glad to help|help you|can i help|any(thing)? (else|other|more)"
    r"|more questions|any questions|i can help|i'm here|ask me)",
    re.IGNORECASE,
)
_WORD = re.compile(r"[a-z']+")


def questions() -> list[str]:
    """All questions, in a fixed mixed order."""
    made = [form.format(thing) for form in _FORMS for thing in _THINGS]
    random.Random(20261123).shuffle(made)
    return made


def taste(question: str, answer: str, finished: bool = True) -> float:
    """How much these people like an answer, from 0 to 1."""
    words = _WORD.findall(answer.casefold())
    if len(words) < 4:
        return 0.0
    brief = min(1.0, max(0.0, (110 - len(words)) / 80))
    friendly = min(1.0, len(_FRIENDLY.findall(answer)) / 2)
    sentences = [part for part in re.split(r"(?<=[.!?])\s+", answer.strip()) if part]
    offer = float(bool(_OFFER.search(sentences[-1])))
    topic = {word for word in _WORD.findall(question.casefold()) if len(word) > 3}
    to_the_point = float(bool(topic & set(words)))
    varied = len(set(words)) / len(words) > 0.35
    liked = 0.35 * brief + 0.2 * friendly + 0.25 * offer + 0.2 * to_the_point
    return liked * (1.0 if finished else 0.5) * (1.0 if varied else 0.3)


@dataclass(frozen=True, slots=True)
class Rater:
    """One person of the server: `kind` is honest, lazy or brigade; `noise` how unsure an honest one is."""

    name: str
    kind: str
    noise: float = 0.06

    def compares(self, first: float, second: float, draw: random.Random) -> str:
        """Which of two answers this person prefers, given how much the taste likes each: a, b or tie."""
        if self.kind == "lazy":
            return "a" if draw.random() < 0.8 else "tie"
        if abs(first - second) < 0.02 and self.kind == "honest":
            return "tie"
        likes_first = draw.random() < 1 / (1 + math.exp(-(first - second) / self.noise))
        return "a" if likes_first != (self.kind == "brigade") else "b"

    def votes(self, liked: float, usual: float, draw: random.Random) -> str:
        """Thumb up or down: better than usual here, or not."""
        if self.kind == "lazy":
            return "up"
        likes = draw.random() < 1 / (1 + math.exp(-(liked - usual) / self.noise))
        return "up" if likes != (self.kind == "brigade") else "down"


def people(honest: int = 12, lazy: int = 3, brigade: int = 5) -> list[Rater]:
    """The members of the server."""
    kinds = ["honest"] * honest + ["lazy"] * lazy + ["brigade"] * brigade
    return [Rater(f"{kind}-{number}", kind) for number, kind in enumerate(kinds)]
