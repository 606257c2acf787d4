"""Servers that load, are away, or list no models, when the bot starts."""

import logging

import pytest

from bot.engine.api import (
    EngineAway,
    EngineError,
)
from bot.texts import EN
from tests.bot.engine.asked import FIVE, HELLO, asked, said
from tests.fakes.odd import OddServer, body, error, page


async def test_a_server_that_loads_its_model_is_waited_for(odd, opened):
    loading = error(503, "Loading model", type="unavailable_error")
    asked_for = []

    def tokens(sent):
        asked_for.append(sent)
        return loading if len(asked_for) <= 2 else body({"prompt": "x"} if "messages" in sent else {"tokens": [1, 2]})

    odd.on("/apply-template", tokens)
    odd.on("/tokenize", tokens)
    odd.on("/props", body({"default_generation_settings": {"n_ctx": 32768}, "chat_template": "x"}))
    engine = await opened(odd)
    async with engine.session() as session:
        assert session.context_length == 32768
        assert await session.count_tokens(HELLO) == 2
    odd.reply(loading, loading)
    assert (await said(engine))[0] == FIVE


async def test_a_server_that_is_not_there_yet_is_asked_again(opened, caplog):
    async with OddServer() as gone:
        url = gone.url
    engine = await opened(gone, url=url)
    assert "starts without it" in caplog.text
    with pytest.raises(EngineAway) as caught:
        await asked(engine)
    assert caught.value.for_member(EN) == EN.engine_unreachable


STARTS = {
    "no list": error(404, "Not Found"),
    "a page as list": page("<!doctype html><html>"),
    "null as list": body({"object": "list", "data": None}),
    "an error as list": error(500, "Unexpected endpoint"),
    "a list of other things": body({"data": [1, None, {"name": 3}]}),
}


@pytest.mark.parametrize("elsewhere", [error(404, "no"), error(500, "Unexpected"), page("<html>app</html>")])
@pytest.mark.parametrize("name", STARTS)
async def test_a_list_is_not_needed_where_the_operator_names_the_model(odd, opened, name, elsewhere):
    odd.on("/v1/models", STARTS[name])
    odd.otherwise = elsewhere
    engine = await opened(odd, model="odd")
    assert (await said(engine))[0] == FIVE
    async with engine.session() as session:
        await session.reach()
        assert await session.count_tokens(HELLO) > 0


@pytest.mark.parametrize("name", ["no list", "a page as list", "null as list", "a list of other things"])
async def test_without_a_list_the_operator_is_told_to_name_the_model(odd, opened, name):
    odd.on("/v1/models", STARTS[name])
    with pytest.raises(EngineError, match="PARLEY_ENGINE_MODEL"):
        await opened(odd)


async def test_the_first_model_that_talks_is_asked(odd, opened):
    names = ["nomic-embed-text:latest", "bge-m3", "whisper-1", "qwen3:8b", "llama3"]
    odd.on("/v1/models", body({"data": [{"id": name} for name in names]}))
    await said(await opened(odd))
    assert odd.requests[0]["model"] == "qwen3:8b"
    odd.on("/v1/models", body({"data": [{"id": "some", "type": "embeddings"}]}))
    with pytest.raises(EngineError, match="lists no model that talks"):
        await opened(odd)


async def test_the_address_keeps_its_secrets(odd, opened, caplog):
    url = odd.url.replace("http://", "http://bob:hunter2@") + "?key=hunter3"
    with caplog.at_level(logging.DEBUG, logger="bot"):
        engine = await opened(odd, url=url)
        assert (await said(engine))[0] == FIVE
        odd.usual = error(400, "hunter2 hunter3 no")
        with pytest.raises(EngineError) as caught:
            await asked(engine)
    assert odd.headers[-1]["authorization"] == "Basic Ym9iOmh1bnRlcjI="
    assert odd.paths[-1] == "/v1/chat/completions?key=hunter3"
    assert "hunter" not in caplog.text + str(caught.value) + repr(caught.value)
