"""The keys of the API: made, listed and revoked by the operator, and never readable in the store."""

import asyncio
import json
import shutil
from pathlib import Path

import pytest

from data.api_keys import CHAT, FEEDBACK, ROWS, ApiKey, check_platform
from data.consent import CONSENT_VERSION
from data.database import NAME
from data.errors import BadInput
from data.reapply import reapply
from data.store import Store
from tests.data.test_main import data


def secret_of(out: str) -> str:
    return out.splitlines()[-1]


def found(house: Path, secret: str) -> ApiKey | None:
    async def find() -> ApiKey | None:
        store = await Store.open(house)
        try:
            return await store.api_keys.find(secret)
        finally:
            await store.close()

    return asyncio.run(find())


async def test_a_key_opens_what_it_was_made_for_until_it_is_revoked(store: Store) -> None:
    new = ApiKey(name="bot", platform="telegram", rights=(CHAT,), hourly=9, hourly_per_user=3)
    secret = await store.api_keys.add(new)
    assert await store.api_keys.find(secret) == new
    assert await store.api_keys.find(secret[:-1]) is None
    assert (new.may(CHAT), new.may(FEEDBACK), new.may(ROWS)) == (True, False, False)
    assert await store.api_keys.revoke("bot") is True
    assert await store.api_keys.find(secret) is None
    assert await store.api_keys.revoke("bot") is False
    with pytest.raises(BadInput, match="no key named 'bat'"):
        await store.api_keys.revoke("bat")


async def test_a_name_is_taken_until_its_key_is_revoked_and_the_new_key_is_another(store: Store) -> None:
    first = await store.api_keys.add(ApiKey(name="bot", platform="one"))
    with pytest.raises(BadInput, match="already"):
        await store.api_keys.add(ApiKey(name="bot", platform="two"))
    await store.api_keys.revoke("bot")
    second = await store.api_keys.add(ApiKey(name="bot", platform="two"))
    assert await store.api_keys.find(first) is None
    key = await store.api_keys.find(second)
    assert key is not None
    assert key.platform == "two"


def test_the_command_shows_a_secret_once_and_the_store_does_not_hold_it(house: Path) -> None:
    code, out, _ = data(house, "keys", "add", "webui", "--platform", "open-webui", "--consent", "--hourly", "100")
    assert code == 0
    secret = secret_of(out)
    assert secret.startswith("sk-parley-")
    assert len(secret) > 50
    raw = b"".join(path.read_bytes() for path in house.glob(f"{NAME}*"))
    assert secret.encode() not in raw
    assert secret.removeprefix("sk-parley-").encode() not in raw
    code, out, _ = data(house, "keys", "list")
    assert code == 0
    assert "open-webui" in out
    assert "given by the caller" in out
    assert secret not in out
    assert data(house, "keys", "revoke", "webui")[0] == 0
    assert "revoked" in data(house, "keys", "list")[1]
    assert data(house, "keys", "revoke", "webui")[0] == 1


def test_a_key_says_what_the_flags_said(house: Path) -> None:
    out = data(house, "keys", "add", "a", "--may", "rows", "chat", "--hourly", "7", "--hourly_per_user", "2")[1]
    key = found(house, secret_of(out))
    assert key == ApiKey(name="a", platform="a", rights=(CHAT, ROWS), hourly=7, hourly_per_user=2)
    key = found(house, secret_of(data(house, "keys", "add", "b", "--consent")[1]))
    assert key == ApiKey(name="b", platform="b", consent_text=CONSENT_VERSION)


def test_without_keys_the_list_says_how_to_make_one(house: Path) -> None:
    code, _, errors = data(house, "keys", "list")
    assert code == 1
    assert "keys add NAME" in errors


@pytest.mark.parametrize(
    "name", ["discord", "my-discord", "d1scord", "dis.cord", "d_i_s_c_o_r_d", "discord2", "drocsid", "dlsc0rd"]
)
def test_a_platform_cannot_pass_for_discord(house: Path, name: str) -> None:
    with pytest.raises(BadInput, match="reads as Discord"):
        check_platform(name)
    code, _, errors = data(house, "keys", "add", "bridge", "--platform", name)
    assert code == 2
    assert "Discord's permission" in errors
    assert data(house, "keys", "add", f"a-bridge-of-our-community-{name}")[0] == 2  # a long name is not cut


@pytest.mark.parametrize("name", ["terminal", "web", "import", "", "Telegram", "дискорд", "a" * 21, "-x", "a b", "ⅾ"])
def test_a_platform_is_neither_one_of_ours_nor_hard_to_read(name: str) -> None:
    with pytest.raises(BadInput):
        check_platform(name)


@pytest.mark.parametrize("limit", ["-1", "many", "10000001", "1.5"])
def test_a_limit_is_a_number_of_answers(house: Path, limit: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, errors = data(house, "keys", "add", "bot", "--hourly", limit)
    assert code == 2
    assert "not a number of answers" in errors or "expected one argument" in errors


async def test_a_restored_backup_does_not_open_what_was_closed_since(house: Path, tmp_path: Path) -> None:
    store = await Store.open(house)
    kept, revoked, replaced = [
        await store.api_keys.add(ApiKey(name=name, platform="p")) for name in ("kept", "revoked", "replaced")
    ]
    await store.close()
    restored = tmp_path / "restored"
    shutil.copytree(house, restored)
    store = await Store.open(house)
    for name in ("revoked", "replaced"):
        await store.api_keys.revoke(name)
    await store.api_keys.add(ApiKey(name="replaced", platform="p"))
    await store.close()
    await reapply(restored, house)
    store = await Store.open(restored)
    opens = [await store.api_keys.find(secret) is not None for secret in (kept, revoked, replaced)]
    await store.close()
    assert opens == [True, False, False]


async def test_the_audit_log_names_the_key_and_no_secret(house: Path) -> None:
    secret = secret_of((await asyncio.to_thread(data, house, "keys", "add", "bot"))[1])
    await asyncio.to_thread(data, house, "keys", "revoke", "bot")
    store = await Store.open(house)
    entries = await store.deeds(None, 10)
    await store.close()
    assert [(entry.deed, dict(entry.what)) for entry in entries] == [
        ("key_revoked", {"key": "bot"}),
        ("key_added", {"key": "bot"}),
    ]
    assert secret not in json.dumps([dict(entry.what) for entry in entries])
