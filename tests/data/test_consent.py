from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from data.consent import ConsentEvent, Span, cover, covered

START = datetime(2026, 1, 1, tzinfo=UTC)
ANSWERS = st.lists(st.tuples(st.integers(1, 5), st.booleans()), max_size=8)


def events(answers: list[tuple[int, bool]]) -> list[ConsentEvent]:
    found, hours = [], 0
    for gap, granted in answers:
        hours += gap
        found.append(ConsentEvent(START + timedelta(hours=hours), granted))
    return found


def allowed(answers: list[ConsentEvent], said_at: datetime) -> bool:
    """The rule in plain words: they agree now, and said yes before these words and never no since then."""
    if not answers or not answers[-1].granted:
        return False
    last_no = max((index for index, event in enumerate(answers) if not event.granted), default=-1)
    return any(event.at <= said_at for event in answers[last_no + 1 :])


@given(ANSWERS, st.integers(0, 45))
def test_consent_covers_what_is_said_after_it_and_withdrawal_everything(
    answers: list[tuple[int, bool]], hour: int
) -> None:
    history, said_at = events(answers), START + timedelta(hours=hour)
    assert covered(7, said_at, {7: cover(history)}) == allowed(history, said_at)


@given(ANSWERS, st.lists(st.integers(0, 45), max_size=3), st.integers(0, 45))
def test_a_yes_covers_nothing_that_is_said_after_the_text_changed(
    answers: list[tuple[int, bool]], hours: list[int], hour: int
) -> None:
    history, said_at = events(answers), START + timedelta(hours=hour)
    changes = [START + timedelta(hours=change) for change in hours]
    # In plain words: they said yes between the last change of the text and these words, and never no since then.
    asked = max((change for change in changes if change <= said_at), default=START)
    last_no = max((event.at for event in history if not event.granted), default=START)
    under_it = [event for event in history if asked <= event.at <= said_at and event.at > last_no]
    told = bool(history) and history[-1].granted and any(event.granted for event in under_it)
    assert covered(7, said_at, {7: cover(history, changes)}) == told


@given(ANSWERS)
def test_an_unknown_author_refuses_whatever_others_said(answers: list[tuple[int, bool]]) -> None:
    late = START + timedelta(days=99)
    spans = cover(events(answers)) or (Span(START),)
    assert not covered(None, late, {7: spans})
    assert not covered(8, late, {7: spans})


def test_examples() -> None:
    yes, again, no = (
        ConsentEvent(START, True),
        ConsentEvent(START + timedelta(1), True),
        ConsentEvent(START + timedelta(2), False),
    )
    assert cover([]) == ()
    assert cover([yes]) == (Span(START),)
    assert cover([yes, again]) == (Span(START),)  # a second yes does not move the beginning
    assert cover([yes, again, no]) == ()
    assert cover([yes, no, ConsentEvent(START + timedelta(3), True)]) == (Span(START + timedelta(3)),)
    noon = START + timedelta(hours=12)
    assert cover([yes], [noon]) == (Span(START, noon),)
    assert cover([ConsentEvent(START, True, current=False)], [noon]) == (Span(START, noon),)
    assert cover([ConsentEvent(noon, True, current=False)], [noon]) == ()
    assert cover([yes, again], [noon]) == (Span(START, noon), Span(again.at))
    assert covered(1, START, {1: (Span(START),)})
    assert not covered(1, START - timedelta(microseconds=1), {1: (Span(START),)})
    assert not covered(1, noon, {1: (Span(START, noon),)})
