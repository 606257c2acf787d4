"""Whose turn it is."""

from hypothesis import given
from hypothesis import strategies as st

from bot.queue import AnswerQueue, ChannelMember, Full

moves = st.lists(
    st.one_of(
        st.tuples(st.just("enter"), st.integers(1, 3), st.sampled_from("xy")),
        st.tuples(st.just("leave"), st.integers(0, 30), st.just("")),
    ),
    max_size=60,
)


@given(moves, st.integers(1, 3), st.integers(0, 5), st.integers(0, 2))
def test_a_queue_never_runs_two_of_a_person_in_a_channel_nor_loses_anyone(
    moves: list[tuple[str, int, str]], slots: int, waiting: int, per_person: int
):
    queue = AnswerQueue(slots, waiting, per_person)
    of: dict[int, ChannelMember] = {}
    running: set[int] = set()
    line: list[int] = []
    for ticket, (move, number, channel) in enumerate(moves):
        if move == "enter":
            place = queue.enter(ticket, ChannelMember(number, channel))
            if isinstance(place, Full):
                mine = sum(of[other] == ChannelMember(number, channel) for other in line)
                assert len(line) >= waiting if place is Full.EVERYONE else mine >= per_person
                continue
            of[ticket] = ChannelMember(number, channel)
            if place == 0:
                running.add(ticket)
            else:
                line.append(ticket)
                assert place == len(line)
        else:
            running.discard(number)
            line = [other for other in line if other != number]
            for started in queue.leave(number):
                line.remove(started)
                running.add(started)
        assert len(running) <= slots
        assert len(line) <= waiting
        assert len({of[ticket] for ticket in running}) == len(running)
        # nobody who could run waits
        assert len(running) == slots or all(of[t] in {of[r] for r in running} for t in line)
        # a person's questions in a channel keep their order: the one that runs came before those that wait
        assert all(r < t for r in running for t in line if of[r] == of[t])
    while running:
        for started in queue.leave(running.pop()):
            line.remove(started)
            running.add(started)
    assert line == []


def test_a_person_in_many_channels_does_not_keep_others_waiting():
    queue = AnswerQueue(slots=2, waiting=9, waiting_per_person=3)
    assert [queue.enter(number, ChannelMember(1, f"c{number}")) for number in range(4)] == [0, 0, 1, 2]
    assert queue.enter(9, ChannelMember(2, "c0")) == 3
    assert queue.leave(0) == [9]
