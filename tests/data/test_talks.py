"""A conversation as the page shows it to the person whose it is."""

from data.talks import votes_in
from tests.data.talk import Talk


async def test_a_vote_stands_when_a_comparison_is_taken_back(talk: Talk) -> None:
    ada = await talk.person("ada", agrees=True)
    one, other = await talk.ask(ada, "A or B?", "A.", "B.")
    await talk.rate(ada, "vote", one, value="up")
    await talk.rate(ada, "comparison", one, other=other, value="a")
    await talk.rate(ada, "retraction", one, other=other)
    async with talk.store.database.read() as session:
        assert await votes_in(session, talk.conversation, ada) == {one.generation: "up"}
