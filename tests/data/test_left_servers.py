"""What is forgotten about a server that removed the bot, and what its managers have to decide again."""

from datetime import timedelta

from data.store import Store
from data.times import now
from tests.data.talk import Talk


async def test_members_teach_again_only_when_a_manager_says_so_again(store: Store) -> None:
    for server in ("1", "2"):
        await store.set_may_teach("discord", server, True)
    await store.servers_now("discord", {"1", "2"})
    assert await store.may_teach("discord", "1")
    await store.servers_now("discord", {"2"})
    assert not await store.may_teach("discord", "1")
    await store.servers_now("discord", {"1", "2"})
    assert not await store.may_teach("discord", "1")
    assert await store.may_teach("discord", "2")


async def test_the_settings_of_its_channels_and_conversations_go_with_a_server(store: Store) -> None:
    talks = {}
    for server in ("1", "2"):
        row = await store.server("discord", server)
        talks[server] = (
            "conversation",
            str(await store.conversation("discord", server, persona="tutor", server=row)),
        )
        await store.set_setting("persona", talks[server], "writer")
        await store.set_setting("persona", ("channel", f"1{server}"), "tutor", server=int(server))
        await store.change_setting("hourly", ("channel", f"1{server}"), lambda _: {"person": 1}, server=server)
    await store.set_setting("persona", ("channel", "13"), "tutor")  # where people are alone with the bot
    await store.servers_now("discord", {"2"})

    async def left(server: str) -> list[bool]:
        places = [
            ("persona", talks[server]),
            ("persona", ("channel", f"1{server}")),
            ("hourly", ("channel", f"1{server}")),
        ]
        return [await store.setting(key, [place]) is not None for key, place in places]

    await store.eraser.purge(now() - timedelta(days=1))
    assert await left("1") == [True] * 3  # its time is not over yet
    await store.eraser.purge(now() + timedelta(seconds=1))
    assert await left("1") == [False] * 3
    assert await left("2") == [True] * 3
    assert await store.setting("persona", [("channel", "13")])


async def test_what_a_server_set_where_nobody_talked_goes_too(store: Store) -> None:
    await store.servers_now("discord", {"1"})
    await store.set_setting("threads", ("channel", "11"), True, server="1")
    await store.servers_now("discord", set())
    await store.eraser.purge(now() + timedelta(seconds=1))
    assert await store.setting("threads", [("channel", "11")]) is None


async def test_what_its_managers_did_goes_with_a_server(store: Store) -> None:
    talk = await Talk.begin(store, "discord")
    max_ = await talk.person("max")
    for server in ("1", "2"):
        await store.record_deed(max_, "teaching", server=await store.server("discord", server), allowed="on")
    await store.record_deed(max_, "promote")
    await store.servers_now("discord", {"2"})
    await store.eraser.purge(now() - timedelta(days=1))
    assert [entry.server for entry in await store.deeds(None, 9)] == [None, "2", "1"]
    await store.eraser.purge(now() + timedelta(seconds=1))
    assert [entry.server for entry in await store.deeds(None, 9)] == [None, "2"]
