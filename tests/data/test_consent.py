from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from data.consent import Event, consent_since, covered

START = datetime(2026, 1, 1, tzinfo=UTC)
ANSWERS = st.lists(st.tuples(st.integers(1, 5), st.booleans()), max_size=8)


def events(answers: list[tuple[int, bool]]) -> list[Event]:
    found, hours = [], 0
    for gap, granted in answers:
        hours += gap
        found.append(Event(START + timedelta(hours=hours), granted))
    return found


def allowed(answers: list[Event], said_at: datetime) -> bool:
    """The rule in plain words: now they agree, and from before these words until now they never said no."""
    if not answers or not answers[-1].granted:
        return False
    last_no = max((index for index, event in enumerate(answers) if not event.granted), default=-1)
    return any(event.at <= said_at for event in answers[last_no + 1 :])


@given(ANSWERS, st.integers(0, 45))
def test_consent_covers_what_is_said_after_it_and_withdrawal_everything(
    answers: list[tuple[int, bool]], hour: int
) -> None:
    history, said_at = events(answers), START + timedelta(hours=hour)
    since = consent_since(history)
    assert covered(7, said_at, {} if since is None else {7: since}) == allowed(history, said_at)


@given(ANSWERS)
def test_an_unknown_author_refuses_whatever_others_said(answers: list[tuple[int, bool]]) -> None:
    late = START + timedelta(days=99)
    since = consent_since(events(answers)) or START
    assert not covered(None, late, {7: since})
    assert not covered(8, late, {7: since})


def test_examples() -> None:
    yes, again, no = Event(START, True), Event(START + timedelta(1), True), Event(START + timedelta(2), False)
    assert consent_since([]) is None
    assert consent_since([yes]) == START
    assert consent_since([yes, again]) == START  # a second yes does not move the beginning
    assert consent_since([yes, again, no]) is None
    assert consent_since([yes, no, Event(START + timedelta(3), True)]) == START + timedelta(3)
    assert covered(1, START, {1: START})
    assert not covered(1, START - timedelta(microseconds=1), {1: START})
