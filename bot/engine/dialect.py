"""Which fields a server takes: learnt from its refusals, and set by the operator (`PARLEY_ENGINE_EXTRA`). Pure.

What was learnt counts for one model of one server, for as long as the process runs.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bot.engine.api import Sampling
    from bot.engine.refused import Refused
    from data.chat import Message

LENGTH, NEW_LENGTH = "max_tokens", "max_completion_tokens"
ARGUMENTS = "chat_template_kwargs"  # what a server's template is told
# The fields that an answer can do without, those that matter least first, with other words for them in a refusal.
_OPTIONAL: dict[str, str] = {
    ARGUMENTS: r"chat_template_kwargs",
    "stream_options": r"stream[_ ]options|include_usage",
    "seed": r"\bseed\b",
    "frequency_penalty": r"(?:frequency|presence|repetition)?[_ ]?penalt(?:y|ies)",
    "stop": r"\bstop\b|stop[_ ]sequences?",
    "top_p": r"\btop[_ ]?p\b",
    "temperature": r"\btemperature\b",
    LENGTH: r"\bmax[_ ]?tokens\b",
    NEW_LENGTH: r"\bmax[_ ]?completion[_ ]?tokens\b",
}
_UNNAMED = re.compile(
    r"extra (?:fields|inputs)|(?:unknown|unsupported|unrecognized|unexpected|invalid|additional) "
    r"(?:field|parameter|argument|propert|option|input|key)|not permitted|"
    r"additionalpropert|extra data|参数(?:错误|非法|不支持)"
)
_SYSTEM = re.compile(
    r"(?:system|developer)['\"]?[ _]?(?:role|message|prompt|instruction)[^.]{0,60}(?:not|un|only)|"
    r"role[^.]{0,60}(?:system|developer)|(?:not|un)[^.]{0,20}support[^.]{0,30}['\"]?system|"
    r"only user(?:,| and) assistant|roles must alternate|\broles?\b[^.]{0,40}\bmust be\b|system role|"
    r"(?:first message|messages['\"`]?)[^.]{0,20}(?:start with|be from|must be)[^.]{0,20}user|"
    r"messages\[0\]\.role|['\"]system['\"] is not one of|should be ['\"]user['\"] or ['\"]assistant['\"]"
)
# A server that does not stream, or not for this account, gives the whole answer at once.
_STREAM = re.compile(
    r"verified to stream|"
    r"stream(?:ing)?['\"`]?(?: mode| responses?)?(?: is| are)? (?:not|un|only|disabled|must be false)|"
    r"(?:not|un)[^.]{0,20}(?:support|allow|enabl)[^.]{0,20}stream(?![_ ]?options)|"
    r"\bstream['\"`]?:? (?:must|should|has to) be false|\bnon-stream|(?:cannot|can't|unable to) stream|"
    r"\bstream['\"`]?\s?(?:[=:]|to)\s?['\"`]?(?:true[^.]{0,20}(?:not|un)|false)"
)
_ONE_OF = re.compile(r"\bboth\b|only one|together|at the same time|mutually exclusive|either")
_MOST = re.compile(
    r"(?:at most|maximum(?: value)?(?: is| of)?|<=|less than or equal to|up to|range[^\[]*\[\s*\d+\s*,|"
    r"in \[\s*\d+\s*,|between \d+ and|\d+ >)\s*(\d+)"
)


class Dialect:
    """What is sent to one model, and what is not. `extra` is merged into every request; None takes a field out.

    `thoughtful` are the variables of its template that have it think before it answers; empty where it cannot.
    """

    def __init__(self, extra: Mapping[str, Any] | None = None) -> None:
        self.thoughtful: dict[str, Any] = {}
        self._extra = dict(extra or {})
        self._left_out: set[str] = set()
        self._length = LENGTH
        self._most: int | None = None
        self._system = True
        self._streams = True

    @property
    def stops(self) -> tuple[str, ...]:
        """The stop strings that the operator set."""
        found = self._extra.get("stop") or ()
        return tuple(map(str, [found] if isinstance(found, str) else found))

    def template_arguments(self, *, thinks: bool = False) -> dict[str, Any]:
        """What the server's template is told (`chat_template_kwargs`): by the operator, and to think."""
        found = self._extra.get(ARGUMENTS)
        told = dict(found) if isinstance(found, dict) else {}
        return told | self.thoughtful if self._may_think(thinks=thinks) else told

    def messages(self, messages: Sequence[Message]) -> list[Message]:
        """The messages as the server takes them: without a system role, its words open the first question."""
        if self._system or not messages or messages[0]["role"] != "system":
            return list(messages)
        system, *others = messages
        if not others or others[0]["role"] != "user":
            return [{"role": "user", "content": system["content"]}, *others]
        return [{"role": "user", "content": f"{system['content']}\n\n{others[0]['content']}"}, *others[1:]]

    def body(self, model: str, messages: Sequence[Message], sampling: Sampling) -> dict[str, Any]:
        """The request for a streamed answer."""
        length = sampling.max_tokens if self._most is None else min(sampling.max_tokens, self._most)
        fields: dict[str, Any] = {
            "model": model,
            "messages": self.messages(messages),
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "frequency_penalty": sampling.frequency_penalty,
            self._length: length,
            "seed": sampling.seed,
            "stop": list(sampling.stop) or None,
            "stream": self._streams,
            "stream_options": {"include_usage": True} if self._streams else None,
        }
        fields = {name: value for name, value in fields.items() if value is not None and name not in self._left_out}
        fields |= self._extra
        if self._may_think(thinks=sampling.thinks):
            fields[ARGUMENTS] = self.template_arguments(thinks=True)
        return {name: value for name, value in fields.items() if value is not None}

    def sampled(self, sampling: Sampling) -> dict[str, Any]:
        """The settings as they are sent, for the record of a generation; None for what the server does not take."""
        sent = self.body("", [], sampling)
        found = {name: sent.get(name) for name in sampling.as_dict()}
        found |= {LENGTH: sent.get(LENGTH) or sent.get(NEW_LENGTH), "stop": list(self.stops or sampling.stop)}
        return found | ({"thinks": self._may_think(thinks=True)} if sampling.thinks else {})

    def _may_think(self, *, thinks: bool) -> bool:
        return thinks and bool(self.thoughtful) and ARGUMENTS not in self._left_out

    def learn(self, refused: Refused, body: Mapping[str, Any]) -> str | None:
        """Changes what is sent after a refusal; says what changed, or None if this request cannot be mended."""
        if refused.status not in (400, 404, 405, 415, 422, 500, 501):
            return None
        if self._system and body["messages"][0]["role"] == "system" and _SYSTEM.search(refused.text):
            self._system = False
            return "a system role; its words are sent with the first question"
        if self._streams and (refused.parameters[:1] == ("stream",) or _STREAM.search(refused.text)):
            self._streams = False
            return "streaming; answers come whole"
        sent = [name for name in _OPTIONAL if name in body and name not in self._extra]
        named = self._named(refused, sent)
        if named is None and refused.status in (400, 422) and _UNNAMED.search(refused.text):
            named = next(iter(sent), None)
        return self._without(named, refused, body) if named else None

    def _named(self, refused: Refused, sent: Sequence[str]) -> str | None:
        """The field that a refusal is about: the one it names apart from its sentence, else the first in it."""
        for parameter in refused.parameters:
            if parameter in sent:
                return parameter
        found = [(match.start(), name) for name in sent if (match := re.search(_OPTIONAL[name], refused.text))]
        if len(found) > 1 and _ONE_OF.search(refused.text):
            return found[0][1]  # the one that matters least
        return min(found)[1] if found else None

    def _without(self, name: str, refused: Refused, body: Mapping[str, Any]) -> str:
        if name in (LENGTH, NEW_LENGTH):
            most = [number for number in map(int, _MOST.findall(refused.text)) if 0 < number < body[name]]
            if most:
                self._most = min(most)
                return f"{name} above {self._most}"
            if name == LENGTH and NEW_LENGTH not in self._left_out:
                self._length = NEW_LENGTH
                self._left_out.add(LENGTH)
                return f"{LENGTH}; {NEW_LENGTH} is sent"
        self._left_out.add(name)
        return f"{name}; it is left out"
