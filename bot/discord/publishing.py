"""Tells Discord which commands there are: beside everything else, and only when they are new to it.

Discord limits how often an application may do that, for many minutes if need be; people can talk to the bot
meanwhile. What was published last is remembered in the home for each application as a hash, so a start with the same
commands sends nothing, whichever process or shard published them.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from typing import TYPE_CHECKING, Any

import aiohttp
import discord
from discord.http import Route

if TYPE_CHECKING:
    from discord import app_commands

    from data.scopes import Scope
    from data.store import Store

log = logging.getLogger(__name__)

SETTING = "commands"  # the hash of the commands that were published last, a setting of an application
WAITS = (30.0, 300.0, 1800.0)  # seconds before another try; the last one repeats


async def fingerprint(tree: app_commands.CommandTree[Any]) -> str:
    """A hash of all that would be published, and of where it goes."""
    payload = []
    for command in tree.get_commands(type=None):
        translated = tree.translator and await command.get_translated_payload(tree, tree.translator)
        payload.append(translated or command.to_dict(tree))
    payload.sort(key=lambda each: (each["type"], each["name"]))
    text = json.dumps([Route.BASE, payload], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


async def publish_if_new(tree: app_commands.CommandTree[Any], store: Store, application: int) -> bool:
    """Publish the commands unless they are the ones that were published last; returns whether they were sent."""
    here: Scope = ("application", str(application))
    now = await fingerprint(tree)
    if await store.setting(SETTING, [here]) == now:
        return False
    await tree.sync()
    await store.set_setting(SETTING, here, now)
    return True


async def keep_published(tree: app_commands.CommandTree[Any], store: Store, application: int) -> None:
    """Publish the commands if they are new, and try again later when Discord is out of reach or busy.

    Commands that Discord refuses are logged, and not sent again before the next start.
    """
    tries = 0
    while True:
        try:
            if await publish_if_new(tree, store, application):
                log.info("the slash commands are published")
            return
        except discord.HTTPException as error:
            log.warning("the slash commands were not published: %s (code %s)", error.status, error.code)
            if error.status < 500 and error.status != 429:
                return
        except (aiohttp.ClientError, OSError) as error:
            log.warning("the slash commands were not published: %s", type(error).__name__)
        except Exception:
            log.exception("the slash commands were not published")
            return
        await asyncio.sleep(WAITS[min(tries, len(WAITS) - 1)])
        tries += 1
