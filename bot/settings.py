"""The bot's settings: environment variables and `.env`, read once at start.

`DISCORD_TOKEN` alone starts Discord; every other variable begins with `PARLEY_`. Invalid settings are reported by
name. Secrets are `SecretStr`, so that no log and no traceback shows them.
"""

from __future__ import annotations

import json
import os
import re
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from data.chat import FREQUENCY_PENALTY, MAX_TOKENS, TEMPERATURE, TOP_P
from data.errors import BadInput, nearest
from data.limits import PER_DAY, PER_PERSON, PER_SERVER
from data.own_network import all_own, is_address, lookup, own
from data.personas import LANGUAGES, PERSONAS, own_personas
from data.release_address import OLLAMA, release_address
from data.releases import BASE_RELEASE
from data.variables import PREFIX, TOKEN

ENV_FILE = Path(".env")
_SECRETS = (
    "DISCORD_TOKEN",
    "discord_token",
    "engine_api_key",
    "engine_extra",
    "moderation_api_key",
    "moderation_url",
    "embeddings_api_key",
    "embeddings_url",
    "discord_client_secret",
)
_ADDRESSES = ("engine_url", "engine_releases", "discord_api", "discord_gateway")
# What a value should be, by pydantic's name for the error.
_WANTED = {"bool_parsing": "use 1 or 0", "int_parsing": "use a whole number", "float_parsing": "use a number"}


class Settings(BaseSettings):
    """Everything that an operator can set. Unset or empty variables mean the default."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, extra="ignore", populate_by_name=True)

    discord_token: SecretStr | None = Field(default=None, validation_alias=AliasChoices(TOKEN))
    home: Path = Path("var")
    bases: Path | None = None  # where base models are; unset: in `home`
    base: str | None = None  # the base model of a new home; for another home the one that it has

    engine_url: str | None = Field(default=None, repr=False)  # unset: the embedded engine
    engine_model: str | None = None
    engine_api_key: SecretStr | None = None
    engine_context: int | None = Field(default=None, ge=64, le=100_000_000)  # unset: what the server says
    engine_timeout: float = Field(default=300.0, ge=1, le=86_400)  # seconds that an answer may stand still
    engine_releases: str | None = Field(default=None, repr=False)  # how a server that must be told serves releases
    engine_adapters: str | None = None  # the folder of the releases as the engine sees it; unset: as we do
    engine_extra: Annotated[dict[str, Any], NoDecode] = {}  # fields for every request; null takes one out
    show_thinking: bool = False  # whether people may see what a model thinks before it answers

    discord_api: str | None = None
    discord_gateway: str | None = None
    discord_message_content: bool = False  # ask Discord for the texts of messages that do not mention the bot
    discord_threads: bool = False  # answer a first mention in a thread, unless managers choose otherwise
    discord_previews: bool = False  # let links in answers show previews
    shards: int | None = Field(default=None, ge=1, le=10000)  # unset: the number that Discord recommends
    discord_training_permission: str | None = None
    followups: bool = False  # whether messages after an answer count as weak ratings of it
    operators: Annotated[tuple[int, ...], NoDecode] = ()
    retention_days: int = Field(default=30, ge=1, le=3650)

    # Answers per hour on Discord, for each person, channel and server; 0 means no limit.
    hourly_per_person: int = Field(default=0, ge=0, le=100_000)
    hourly_per_channel: int = Field(default=0, ge=0, le=100_000)
    hourly_per_server: int = Field(default=0, ge=0, le=100_000)

    # Which servers teach the shared model (unset: the first one), and how many ratings of a day count; 0: any number.
    teaching_servers: Annotated[tuple[str, ...] | None, NoDecode] = None
    ratings_per_person: int = Field(default=PER_PERSON, ge=0)
    ratings_per_server: int = Field(default=PER_SERVER, ge=0)
    ratings_per_day: int = Field(default=PER_DAY, ge=0)

    # The share of turns on Discord with two answers to compare: while a candidate is on trial, and otherwise.
    trial_share: float = Field(default=0.25, ge=0, le=1)
    compare_share: float = Field(default=0, ge=0, le=1)

    log: Literal["text", "json"] = "text"
    metrics_port: int | None = Field(default=None, ge=0, le=65535)  # unset: off; 0: any free port
    metrics_host: str = "127.0.0.1"

    web_port: int | None = Field(default=None, ge=0, le=65535)  # the page's; unset: off; 0: any free port
    web_host: str = "127.0.0.1"
    web_address: str | None = None  # the page's address as people type it; unset: host and port
    web_root_path: str = ""  # what a proxy takes off the front of each path, such as /parley
    web_proxies: Annotated[tuple[str, ...], NoDecode] = ()  # whose forwarded headers are believed
    web_guests: bool = False  # whether people may talk on the page without signing in
    web_hourly_per_address: int = Field(default=120, ge=0, le=100_000)  # guests' answers, and attempts to sign in
    discord_client_id: str | None = None  # both let people sign in to the page with Discord
    discord_client_secret: SecretStr | None = None

    personas: Path | None = None  # the operator's own, TOML files; unset: `personas` in `home`
    persona: str = "assistant"
    language: str = "en"

    temperature: float = Field(default=TEMPERATURE, ge=0, le=2)
    top_p: float = Field(default=TOP_P, gt=0, le=1)
    frequency_penalty: float = Field(default=FREQUENCY_PENALTY, ge=-2, le=2)
    max_tokens: int = Field(default=MAX_TOKENS, ge=1, le=32768)
    history_tokens: int | None = Field(default=None, ge=64)  # unset: what the engine's context holds
    slots: int = Field(default=8, ge=1, le=1024)  # answers that run at the same time
    queue: int = Field(default=64, ge=0, le=4096)  # questions that wait
    queue_per_person: int = Field(default=3, ge=0, le=64)

    moderation: Literal["on", "off"] = "on"
    moderation_words: Path | None = None  # a file with the operator's own words
    moderation_outside: bool = False  # whether the endpoint may be outside the network; stands before its address
    moderation_url: str | None = None
    moderation_model: str | None = None
    moderation_api_key: SecretStr | None = None
    moderation_fail: Literal["open", "closed"] = "open"  # what passes while the endpoint fails

    embeddings_url: str | None = None  # finds lessons for questions in other words
    embeddings_model: str | None = None
    embeddings_api_key: SecretStr | None = None

    @field_validator("home", "bases", "personas", "moderation_words")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        return path.expanduser().absolute() if path else path

    @field_validator("operators", mode="before")
    @classmethod
    def _ids(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        parts = [part for part in re.split(r"[\s,;]+", value) if part]
        if wrong := [part for part in parts if not part.isdecimal()]:
            raise ValueError(f"{wrong[0]!r} is not a Discord user id (digits only, several with commas between)")
        return tuple(int(part) for part in parts)

    @field_validator("teaching_servers", mode="before")
    @classmethod
    def _server_ids(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        parts = [part for part in re.split(r"[\s,;]+", value) if part]
        if wrong := [part for part in parts if not part.isdecimal()]:
            raise ValueError(f"{wrong[0]!r} is not a server's id (digits only, several with commas between)")
        return tuple(parts)

    @field_validator("web_proxies", mode="before")
    @classmethod
    def _proxies(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        parts = [part for part in re.split(r"[\s,;]+", value) if part]
        for part in parts:
            try:
                ip_network(part, strict=False)
            except ValueError:
                raise ValueError(f"{part!r} is no IP address or network; write those of your proxy") from None
        return tuple(parts)

    @field_validator("web_root_path")
    @classmethod
    def _path(cls, value: str) -> str:
        if value and not re.fullmatch(r"(/[\w.~-]+)+/?", value):
            raise ValueError("use a path such as /parley")
        return value.rstrip("/")

    @field_validator("engine_extra", mode="before")
    @classmethod
    def _json(cls, value: object) -> object:
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except ValueError:
                value = None
        if not isinstance(value, dict):
            raise ValueError('it is not a JSON object such as {"seed": null, "reasoning_effort": "low"}')
        if named := sorted({"messages", "model"} & set(value)):
            raise ValueError(f"{named[0]!r} cannot be set here; the model is PARLEY_ENGINE_MODEL")
        return value

    @field_validator(
        "engine_url", "discord_api", "discord_gateway", "moderation_url", "embeddings_url", "web_address"
    )
    @classmethod
    def _whole(cls, value: str | None) -> str | None:
        if value is not None:
            parts = urlsplit(value)
            try:
                port = parts.port
            except ValueError:  # its sentence may quote a password
                port = 0
            if port == 0:
                raise ValueError("its port is not a number from 1 to 65535")
        return value

    @field_validator("engine_releases")
    @classmethod
    def _how(cls, value: str | None) -> str | None:
        if value not in (None, OLLAMA):
            release_address(value, BASE_RELEASE)
        return value

    @field_validator("persona")
    @classmethod
    def _known_persona(cls, value: str, info: ValidationInfo) -> str:
        folder = info.data.get("personas") or info.data.get("home", Path("var")) / "personas"
        names = dict.fromkeys((*PERSONAS, *own_personas(folder)))
        if value not in names:
            hint = nearest(value, names) or f" Your own are read from {folder}"
            raise ValueError(f"the personas are {', '.join(names)}.{hint}")
        return value

    @field_validator("language")
    @classmethod
    def _known_language(cls, value: str) -> str:
        if value not in LANGUAGES:
            raise ValueError(f"use {' or '.join(LANGUAGES)}")
        return value

    @field_validator("engine_url", "discord_api", "moderation_url", "embeddings_url", "web_address")
    @classmethod
    def _http(cls, value: str | None) -> str | None:
        value = _address(value, "https?", "http://127.0.0.1:8000/v1")
        return value.rstrip("/") if value else value

    @field_validator("discord_gateway")
    @classmethod
    def _websocket(cls, value: str | None) -> str | None:
        return _address(value, "wss?", "ws://127.0.0.1:8001")

    @field_validator("personas")
    @classmethod
    def _folder(cls, path: Path | None) -> Path | None:
        if path is not None and not path.is_dir():
            raise ValueError(f"there is no folder {path}; name one with a TOML file for each persona")
        return path

    @field_validator("moderation_words")
    @classmethod
    def _there(cls, path: Path | None) -> Path | None:
        if path is not None and not path.is_file():
            found = "it is a folder" if path.is_dir() else "there is no such file"
            raise ValueError(f"{found}; name a file with a word or phrase a line")
        return path

    @field_validator("home")
    @classmethod
    def _usable(cls, path: Path) -> Path:
        there = next((place for place in (path, *path.parents) if place.exists()), path)
        if not there.is_dir():
            raise ValueError(f"{there} is a file; name a folder, or one that can be created")
        if not os.access(there, os.W_OK):
            raise ValueError(f"nothing can be written in {there}; name a folder that you may write to")
        return path

    @field_validator("moderation_url")
    @classmethod
    def _near(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.username is not None or parts.query or parts.fragment:
            raise ValueError("use a plain address; a key belongs in PARLEY_MODERATION_API_KEY")
        if not own(parts.hostname or "") and not info.data.get("moderation_outside"):
            raise ValueError(
                "it names a machine outside your network, and what people write would go there. Set "
                "PARLEY_MODERATION_OUTSIDE=1 to allow that, or use an endpoint on this machine"
            )
        return value

    @field_validator("embeddings_url")
    @classmethod
    def _inside(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.username is not None or parts.query or parts.fragment:
            raise ValueError("use a plain address; a key belongs in PARLEY_EMBEDDINGS_API_KEY")
        host = parts.hostname or ""
        if own(host):
            return value
        try:
            inside = not is_address(host) and all_own(lookup(host))
        except OSError:
            raise ValueError("its name is not known here; correct it, or use an IP address") from None
        if not inside:
            raise ValueError(
                "it leads to a machine outside your network, and what people ask would go there. Use localhost, an "
                "IP address in your network, or a name that leads only to such addresses"
            )
        return value

    @property
    def checked_outside(self) -> bool:
        """Whether an outside service checks what people write, which they must be told."""
        away = self.moderation_url is not None and not own(urlsplit(self.moderation_url).hostname or "")
        return away and self.moderation == "on"

    def share(self) -> None:
        """Puts the paths of the state into the environment, for `data` and the engine's process.

        They read only the environment; without this, a PARLEY_HOME in `.env` would lead to two homes.
        """
        os.environ["PARLEY_HOME"] = str(self.home)
        if self.bases:
            os.environ["PARLEY_BASES"] = str(self.bases)
        if self.personas:
            os.environ["PARLEY_PERSONAS"] = str(self.personas)
        if self.base:
            os.environ["PARLEY_BASE"] = self.base


def load(env_file: Path | None = ENV_FILE) -> Settings:
    """The settings of this process. Raises BadInput, which names every variable with a bad value."""
    try:
        return Settings(_env_file=env_file)  # type: ignore[call-arg]  # pydantic-settings has it
    except ValidationError as error:
        raise BadInput("\n".join(_sentence(detail) for detail in error.errors())) from None
    except UnicodeDecodeError:
        raise BadInput(f"{env_file} is not a UTF-8 text file.") from None


def _address(value: str | None, scheme: str, example: str) -> str | None:
    if value is not None and not re.match(rf"{scheme}://[^/\s]+", value):
        raise ValueError(f"use an address such as {example}")
    return value


def _variable(field: str) -> str:
    return TOKEN if field == "discord_token" else PREFIX + field.upper()


def _sentence(detail: Any) -> str:
    """One bad value as a sentence. Pydantic's own message serves, without its prefix."""
    place = str(detail["loc"][0])
    variable = place if place == TOKEN else _variable(place)
    said = _WANTED.get(detail["type"]) or str(detail["msg"]).removeprefix("Value error, ").rstrip(".")
    # An address may hold a password or a key.
    hidden = place in _SECRETS or (place in _ADDRESSES and re.search("[@?#=]", str(detail["input"])))
    shown = "" if hidden else f" {str(detail['input'])[:80]!r} cannot be used:"
    return f"{variable}:{shown} {said[:1].lower()}{said[1:]}{'' if said.endswith('?') else '.'}"
