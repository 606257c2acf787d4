"""The names of the sentences that the bot has in every language."""

from dataclasses import dataclass, fields
from typing import Any

from bot.texts.web_sentences import WebTexts


@dataclass(frozen=True, kw_only=True)
class TalkTexts:
    """What everybody reads who talks with the bot: answers, ratings, consent, the terminal, moderation."""

    # answering
    waiting: str
    on_its_way: str
    queue_full: str
    queue_full_person: str
    message_too_long: str
    empty_answer: str
    stopped: str
    ended: str
    stopped_early: str
    cut_off: str
    outgrown: str
    broke_off: str
    internal_error: str
    question_gone: str
    answer_gone: str
    disk_full: str
    store_busy: str
    store_broken: str

    # what happened to the engine; the operator's log says more
    engine_unreachable: str
    engine_failed: str
    engine_silent: str
    engine_loading: str
    engine_busy: str
    engine_busy_for: str
    engine_spent: str
    engine_filtered: str
    engine_too_long: str
    engine_refused: str
    no_word_left: str
    only_thoughts: str
    part_missing: str
    filtered: str
    filtered_not_rated: str
    thoughts_taken_back: str

    # ratings
    stored_up: str
    stored_down: str
    stored_correction: str
    stored_correction_alone: str
    stored_comparison: str
    stored_retraction: str
    stored_follow_up: str
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
    consent_older: str
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
    serving_other: str
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
    not_comparable_taught: str
    no_question: str
    persona_now: str
    persona_list: str
    from_entry: str
    with_correction: str
    lessons_none: str
    lessons_mine: str
    lessons_line: str
    lessons_hidden: str
    lessons_learnt: str
    lessons_on_server: str
    lessons_everywhere: str
    lessons_more: str
    lessons_change: str
    lesson_gone: str
    lesson_removed: str
    nothing_runs: str
    forget_usage: str
    consent_usage: str
    ask_consent: str
    yes_or_no: str
    ask_new: str
    begun_anew: str
    correction_lines: str
    goodbye: str

    # moderation
    moderated_question: str
    moderated_self_harm: str
    moderated_answer: str
    moderated_rating: str
    moderation_away: str
    moderation_away_answer: str
    privacy_checked_outside: str

    # what a question refers to and was not read
    quoted_left: str
    quoted_hidden: str
    quoted_gone: str
    quoted_unread: str
    quoted_too_long: str
    earlier_unread: str

    # beginning anew
    anew: str
    anew_offer: str
    anew_begun: str
    anew_nothing: str
    anew_replies: str


@dataclass(frozen=True, kw_only=True)
class ServerTexts:
    """What is said on a Discord server, and to the people who run it."""

    # discord
    mention_only: str
    cannot_read: str
    cannot_read_thread: str
    files_left: str
    file_unreadable: str
    go_on: str
    go_on_please: str
    chat_opened: str
    chat_not_here: str
    chat_refused: str
    chat_write: str
    chat_mention: str
    threads_on: str
    threads_off: str
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
    teach_followups: str
    teach_held: str
    teach_off: str
    lessons_change_discord: str
    lessons_to_accept: str
    lessons_accept_how: str
    lesson_not_here: str
    lesson_accepted: str
    lesson_was_hidden: str
    lesson_declined: str
    faq_imported: str
    faq_again: str
    faq_too_long: str
    faq_unusable: str
    faq_large: str
    faq_unread: str
    faq_most: str
    faq_none: str
    faq_list: str
    faq_how: str
    faq_missing: str
    faq_removed: str
    stats_here: str
    stats_everywhere: str
    stats_serving: str
    stats_trial: str
    stats_left: str
    stats_no_trial: str
    no_answer_here: str
    tie: str
    both_bad: str
    which_was_which: str
    of_one_release: str
    the_base: str
    of_release: str

    # operators, and what people see of learning
    vote_up: str
    vote_down: str
    vote_none: str
    consent_changed: str
    operators_only: str
    audit_managers_only: str
    audit_newest: str
    audit_empty: str
    audit_you: str
    stats_rounds: str
    stats_learnt: str
    stats_trial_few: str
    stats_picture: str
    stats_trial_counting: str

    # how far it is to the next verdict (`bot.progress`)
    far: str
    far_and: str
    far_lacking: str
    far_enough: str
    far_prompts: str
    far_pairs: str
    far_thumbs: str
    far_people: str
    far_trial_prompts: str
    far_trial_people: str
    next_prompts: str
    next_pairs: str
    next_thumbs_up: str
    next_thumbs_down: str
    next_people: str
    next_trial_prompts: str
    next_trial_people: str
    next_enough: str
    far_counting: str
    gate_yes: str
    gate_no: str
    gate_silent: str
    rounds_paused_since: str
    engine_well: str
    engine_away: str
    status_load: str
    duration: str
    serves_already: str
    no_such_release: str
    of_other_bases: str
    promote_anyway: str
    promote_question: str
    promote_yes: str
    gate_never_asked: str
    gate_said_yes: str
    gate_said_no: str
    gate_compared_with: str
    superseded: str
    promoted: str
    no_earlier_champion: str
    rolled_back: str
    rounds_paused_now: str
    rounds_paused_already: str
    rounds_resumed_now: str
    rounds_not_paused: str

    # rules: who is answered, how often, by which persona
    comma: str
    access_person: str
    access_place: str
    access_unlisted: str
    access_choose: str
    access_full: str
    access_people_allowed: str
    access_people_blocked: str
    access_places_allowed: str
    access_places_blocked: str
    access_whole_server: str
    access_nothing: str
    access_managers: str
    hourly_person: str
    hourly_channel: str
    hourly_server: str
    hourly_key: str
    limits_here: str
    limits_on_server: str
    limits_installation: str
    limit_person: str
    limit_channel: str
    limit_server: str
    no_limit: str
    limits_server_wide: str
    limits_too_wide: str
    persona_missing: str
    persona_unknown: str
    persona_ships: str
    persona_taken: str
    persona_name: str
    persona_most: str
    persona_empty: str
    persona_long: str
    persona_no_room: str
    persona_written: str
    persona_deleted: str
    persona_title: str
    persona_becomes: str
    persona_prompt: str
    persona_prompt_help: str
    persona_greeting: str
    persona_greeting_help: str

    # running
    interrupted: str

    # who may open a thread and ask again, and answers that found no room
    chat_not_allowed: str
    chat_enough: str
    only_asker_retries: str
    not_shown: str
    no_files_here: str

    # the language of a place
    language_now: str
    languages: tuple[str, ...]

    # channels in which the bot speaks by itself
    channel_closed: str
    announcements_go: str
    announcements_off: str
    announce_new: str
    announce_back: str
    announce_base: str
    announce_learnt: str
    announce_taught: str
    announce_followups: str
    announce_mended: str
    announce_about: str
    announce_shorter: str
    announce_longer: str
    announce_checks: str
    announce_won: str
    announce_thanks: str
    refusals_go: str
    refusals_off: str
    refusals_hour: str
    refusals_line: str
    refusal_reasons: tuple[str, ...]

    # reactions as votes
    reactions_on: str
    reactions_off: str
    reaction_asks: str
    reaction_how: str


@dataclass(frozen=True, kw_only=True)
class Texts(TalkTexts, ServerTexts, WebTexts):
    """The bot's sentences in one language."""


def together(talk: TalkTexts, server: ServerTexts, web: WebTexts) -> Texts:
    """All sentences of a language, from its three files."""
    parts: dict[str, Any] = {
        field.name: getattr(part, field.name) for part in (talk, server, web) for field in fields(part)
    }
    return Texts(**parts)
