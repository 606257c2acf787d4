"""Signing in with Discord (OAuth2, scope `identify`): who a person is there, and nothing else. No token is kept."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import httpx2
from authlib.common.security import generate_token
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client

API = "https://discord.com/api/v10"
_PATIENCE = 10.0  # seconds


class DiscordSilent(Exception):
    """Discord did not say who somebody is; `str` says why, without any secret."""


class DiscordAccount:
    """An application on Discord that asks who somebody is. `back` is where Discord sends them afterwards."""

    def __init__(self, client: str, secret: str, back: str, api: str | None = None) -> None:
        self._client, self._secret, self._back = client, secret, back
        self._api = api or API
        parts = urlsplit(self._api)
        self._authorize = f"{parts.scheme}://{parts.netloc}/oauth2/authorize"

    def _session(self, **more: Any) -> AsyncOAuth2Client:
        return AsyncOAuth2Client(
            self._client,
            self._secret,
            scope="identify",
            redirect_uri=self._back,
            code_challenge_method="S256",
            timeout=_PATIENCE,
            **more,
        )

    def begin(self) -> tuple[str, str, str]:
        """Where the person agrees, and the two secrets of this sign-in: its state and its verifier."""
        verifier = generate_token(64)
        address, state = self._session().create_authorization_url(
            self._authorize, code_verifier=verifier, prompt="none"
        )
        return address, state, verifier

    async def user(self, code: str, verifier: str) -> str:
        """The id of the person who agreed. Raises `DiscordSilent`."""
        try:
            async with self._session() as client:
                await client.fetch_token(f"{self._api}/oauth2/token", code=code, code_verifier=verifier)
                answer = await client.get(f"{self._api}/users/@me")
                answer.raise_for_status()
                number = answer.json()["id"]
        except OAuthError as error:
            raise DiscordSilent(f"it refused ({error.error})") from None
        except (httpx2.HTTPError, KeyError, TypeError, ValueError) as error:
            raise DiscordSilent(f"its answer cannot be used ({type(error).__name__})") from None
        if not isinstance(number, str) or not number.isdecimal():
            raise DiscordSilent("its answer names nobody")
        return number
