"""Which sentences there are."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Texts:
    """The bot's sentences in one language."""

    # answering
    waiting: str
    queue_full: str
    queue_full_person: str
    message_too_long: str
    empty_answer: str
    stopped: str
    stopped_early: str
    cut_off: str
    broke_off: str
    internal_error: str
    question_gone: str
    answer_gone: str

    # ratings
    stored_up: str
    stored_down: str
    stored_correction: str
    stored_comparison: str
    stored_retraction: str
    already: str
    nothing_to_retract: str
    nothing_to_rate: str
    correction_empty: str
    correction_same: str

    # consent
    consent_question: str
    consent_question_held: str
    consent_first: str
    consent_given: str
    consent_given_held: str
    consent_refused: str
    consent_unanswered: str
    yes: str
    no: str
    take_back: str
    not_yours: str
    privacy: str
    training: str
    training_held: str

    # terminal
    serving: str
    serving_base: str
    to_discord: str
    for_help: str
    starting: str
    you: str
    help: str
    unknown_command: str
    did_you_mean: str
    which_is_better: str
    not_a_verdict: str
    not_comparable: str
    no_question: str
    persona_now: str
    persona_list: str
    nothing_runs: str
    consent_usage: str
    ask_consent: str
    goodbye: str

    # discord
    mention_only: str
    cannot_read: str
    two_answers: str
    two_coming: str
    no_two_answers: str
    fix_title: str
    fix_label: str
    fix_file: str
    fix_empty: str
    fix_unreadable: str
    why_title: str
    why_reasons: str
    why_comment: str
    reasons: tuple[str, ...]
    rate_this: str
    nothing_to_answer: str
    reported: str
    reported_there: str
    reports_go: str
    reports_off: str
    reports_missing: str
    deleted: str
    not_yours_to_delete: str
    not_deleted: str
    teaching_off: str
    teaching_now_on: str
    teaching_now_off: str
    managers_only: str
    kept: str
    forget_question: str
    forget_yes: str
    forgotten: str
    teach: str
    teach_trains: str
    teach_held: str
    teach_off: str
    stats_here: str
    stats_everywhere: str
    stats_serving: str
    stats_trial: str
    stats_no_trial: str
    no_answer_here: str
    tie: str
    both_bad: str
    which_was_which: str
    of_one_release: str
    the_base: str
    of_release: str

    # running
    interrupted: str
