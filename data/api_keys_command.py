"""`python -m data keys`: the operator makes keys for the API, lists and revokes them."""

from argparse import Namespace

from rich.markup import escape
from rich.table import Table

from data.api_keys import ApiKey
from data.consent import CONSENT_VERSION, still_says
from data.console import PlainConsole
from data.errors import NothingToDo
from data.home import home
from data.store import Store
from data.user import user_here


async def keys(arguments: Namespace) -> None:
    """Do what the flags say. Raises `BadInput` for a name that cannot be used or is not there."""
    store = await Store.open(home())
    try:
        match arguments.deed:
            case "add":
                await _add(store, arguments)
            case "list":
                _print(await store.api_keys.every())
            case "revoke":
                await _revoke(store, arguments.name)
    finally:
        await store.close()


async def _add(store: Store, arguments: Namespace) -> None:
    new = ApiKey(
        name=arguments.name,
        platform=arguments.platform or arguments.name,
        rights=tuple(arguments.may),
        consent_text=CONSENT_VERSION if arguments.consent else None,
        hourly=arguments.hourly,
        hourly_per_user=arguments.hourly_per_user,
    )
    secret = await store.api_keys.add(new)
    await _record(store, "key_added", new.name)
    consents = "It may say that a user agreed." if new.consent_text else "Nothing that comes by it trains anything."
    print(f"The key {new.name} may do: {', '.join(new.rights)}. Its users are people on {new.platform}. {consents}")
    print("This is its secret. It is shown only now; whoever has it can use the key.")
    print(secret)


def _print(found: list[ApiKey]) -> None:
    if not found:
        raise NothingToDo("There are no keys yet. Make one: python -m data keys add NAME")
    table = Table("key", "platform", "may", "consent", "an hour", "an hour for each user", "")
    for key in found:
        limits = (str(limit or "any") for limit in (key.hourly, key.hourly_per_user))
        state = "revoked" if key.revoked else ""
        table.add_row(escape(key.name), escape(key.platform), ", ".join(key.rights), _consent(key), *limits, state)
    PlainConsole().print(table)


def _consent(key: ApiKey) -> str:
    if key.consent_text is None:
        return "no"
    return "given by the caller" if still_says(key.consent_text) else "to an older text: add the key anew"


async def _revoke(store: Store, name: str) -> None:
    if not await store.api_keys.revoke(name):
        raise NothingToDo(f"The key {name} was revoked already.")
    await _record(store, "key_revoked", name)
    print(f"The key {name} opens nothing any more. What came by it stays, and so do its users' rights to it.")


async def _record(store: Store, deed: str, name: str) -> None:
    await store.record_deed(await store.person("terminal", user_here()), deed, key=name)
