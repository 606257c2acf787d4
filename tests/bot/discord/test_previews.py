"""Links in answers show no previews, unless the operator wants them."""

import pytest

from tests.bot.discord.world import World, playing

pytestmark = pytest.mark.played


@pytest.mark.parametrize("previews", [False, True])
async def test_links_show_previews_only_where_the_operator_wants_them(world: World, previews: bool):
    async with playing(world.bot(discord_previews=previews)) as env:
        await world.begin(env)
        world.fake.answer("see ", "https://example.org ", "and more")
        answer = await world.ask("one")
        assert answer.flags.suppress_embeds is not previews
        assert answer.content == "see https://example.org and more"
        await world.ada.click(answer, label="↻")
        assert world.last().flags.suppress_embeds is not previews
        await world.ada.slash(world.channel, "ask", question="two")
        assert world.last().content == "a fake answer"
        assert world.last().flags.suppress_embeds is not previews
        await world.ada.click(world.last(), label="⚖️")
        assert world.last().flags.suppress_embeds is not previews
