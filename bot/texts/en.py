"""The bot's sentences in English."""

from bot.texts.words import Texts

EN = Texts(
    waiting="Answers ahead of yours: {ahead}.",
    queue_full="Too many people are waiting for an answer. Please ask again in a minute.",
    queue_full_person="You already have {waiting} questions waiting here. Please let them be answered first.",
    message_too_long="This message is too long: it takes {tokens} tokens and {budget} fit. Please shorten it.",
    empty_answer="(The model had nothing to say. Ask for another answer, or put the question differently.)",
    stopped="(stopped)",
    stopped_early="(stopped before the first word)",
    cut_off="(cut off: the answer reached its limit of {tokens} tokens)",
    broke_off="(The answer broke off: {reason})",
    internal_error="Something went wrong on my side, and the operator's log says what. Please try again.",
    question_gone="The question is no longer there, so there is nothing to answer again.",
    answer_gone="I no longer have this answer, so it cannot be rated.",
    stored_up="👍 noted, thank you.",
    stored_down="👎 noted, thank you.",
    stored_correction="Your correction is noted, thank you.",
    stored_comparison="Your verdict is noted, thank you.",
    stored_retraction="Your rating is taken back.",
    already="That is already noted.",
    nothing_to_retract="There is no rating of yours to take back.",
    nothing_to_rate="There is no answer to rate yet.",
    correction_empty="Write the better answer behind the command: /correct The better answer.",
    correction_same="This is the answer as it stands. Write what it should have been.",
    consent_question=(
        "May Parley learn from you? If you agree, your ratings and what you say to the bot from now on are kept and "
        "may be used to train it. If you don't, you can go on talking to it, nothing of yours trains anything, and "
        "your messages are erased after {days} days. You can change your mind at any time."
    ),
    consent_question_held=(
        "May Parley learn from you? If you agree, your ratings and what you say to the bot from now on are kept and "
        "may be used to train it. At present nothing from Discord trains a model here: Discord allows that only "
        "with its permission, which this bot does not have. Your comparisons of answers help choose which release "
        "serves; beyond that your ratings are kept and used for nothing yet. "
        "If you don't agree, you can go on talking to it, nothing of yours is used, and your messages are erased "
        "after {days} days. You can change your mind at any time."
    ),
    consent_first="Ratings are kept only with your consent: see /privacy, then /consent yes. This one was not kept.",
    consent_given=(
        "Thank you. Your ratings and what you say from now on may train the bot. What was said before this is not "
        "covered, so ratings count in conversations that begin after your yes."
    ),
    consent_given_held=(
        "Thank you. Your ratings are kept from now on, and your comparisons help choose which release serves; "
        "nothing from Discord trains a model yet."
    ),
    consent_refused="Understood: nothing of yours is used, earlier ratings included, and no new rating is kept.",
    consent_unanswered="not answered yet",
    yes="Yes, I agree",
    no="No",
    take_back="Take back",
    not_yours="Only the person who asked can stop this answer.",
    privacy=(
        "What is kept: your messages and the bot's answers, under a pseudonym, on the operator's own machine. "
        "{training} Texts of people who have not agreed are erased after {days} days. Your consent: {consent}."
    ),
    training="With your consent they may train this bot; without it they train nothing.",
    training_held=(
        "At present nothing from Discord trains a model, with or without your consent, because this bot does not "
        "have Discord's permission for that."
    ),
    serving="Release {release} answers.",
    serving_base="The base model answers (release 0: nothing trained yet).",
    to_discord=(
        "This is the terminal. To talk on Discord, put the bot's token into DISCORD_TOKEN (in .env or the "
        "environment) and start again."
    ),
    for_help="/help lists the commands, /quit leaves.",
    starting="Starting the engine ...",
    you="you> ",
    help=(
        "/up              the last answer is good\n"
        "/down [why]      the last answer is bad\n"
        "/correct TEXT    what the last answer should have been\n"
        "/again           another answer, then say which is better: a, b, tie or bad\n"
        "/retract         take your vote on the last answer back\n"
        "/stop            stop the answer that is running (Ctrl-C does the same)\n"
        "/persona NAME    talk to another persona, from the beginning\n"
        "/consent yes|no  whether your ratings and words may be used to train the bot\n"
        "/privacy         what is kept, and for how long\n"
        "/help            this list\n"
        "/quit            leave"
    ),
    unknown_command="There is no command {name}.",
    did_you_mean=" Did you mean {name}?",
    which_is_better="Which is better, the first (a) or the second (b)? a, b, tie, bad: ",
    not_a_verdict="No verdict noted (a, b, tie and bad are verdicts).",
    not_comparable="The question or the settings have changed since, so the two answers are not compared.",
    no_question="There is no question to answer again yet.",
    persona_now="You are talking to the persona {name}.",
    persona_list="There are {names}. You are talking to {name}.",
    nothing_runs="No answer is running.",
    consent_usage="Say /consent yes or /consent no. Your consent: {consent}.",
    ask_consent="Agree? [y/N] ",
    goodbye="Goodbye.",
    mention_only="Hello! Write your question in the same message, and I will answer it.",
    cannot_read="Discord does not show me what this says. Mention me in it, and I will answer.",
    two_answers="Two answers this time. Which one is better? Anyone may say.",
    two_coming="Two answers are on their way, for you to compare …",
    no_two_answers="There was no other whole answer to compare this one with.",
    fix_title="Correct this answer",
    fix_label="What should the answer have been?",
    fix_file="The answer is too long for this window: upload the better one as a text file.",
    fix_empty="Nothing was written, so nothing was corrected.",
    fix_unreadable="That is no UTF-8 text file of at most {kib} KiB, so nothing was corrected.",
    why_title="👎 noted. What was wrong?",
    why_reasons="Choose what fits, or nothing",
    why_comment="In your own words, if you like",
    reasons=(
        "Not true",
        "Not what was asked",
        "Tone or length",
        "Harmful or not allowed",
        "Wrong language",
    ),
    rate_this="How good is this answer?",
    teaching_off=(
        "On this server members cannot teach me yet, so nothing was kept. Somebody who manages the server can allow "
        "it: /teaching on."
    ),
    teaching_now_on="Members of this server may rate, compare and correct from now on, each with their own consent.",
    teaching_now_off="Nobody can teach me on this server any more, and nothing from here trains anything.",
    managers_only="Only who may manage this server can decide that.",
    deleted="The answer is deleted, here and from what I keep.",
    not_yours_to_delete="Only the person who asked and those who may manage messages can delete this answer.",
    not_deleted="What I keep of it is erased. The message itself I may not delete here; a moderator can.",
    reported="Thank you. The moderators of this server see it now; who reported it they don't.",
    reported_there="⚠️ An answer of mine was reported: {link}",
    reports_go="Reported answers are shown in {channel} from now on.",
    reports_off="Reported answers are shown nowhere now.",
    reports_missing="This server has no channel for reports that I can write in. Please tell its moderators.",
    nothing_to_answer="There is nothing to answer in that message: it is a bot's, or has no text.",
    kept="What you said to me, your ratings and your answers about consent, as I keep them, are in this file.",
    forget_question=(
        "Erase everything of yours: all that you said to me, my answers to it, your ratings and corrections? This "
        "cannot be undone. Releases that were trained before, or are being trained, keep what they learnt; later "
        "ones are trained without it. What you wrote stays on Discord until you delete it there."
    ),
    forget_yes="Yes, erase it all",
    forgotten="Done: {texts} texts are erased, and your ratings with them.",
    teach=(
        "**How to teach this bot**\n"
        "👍 👎 say whether an answer is good; 👎 asks what was wrong.\n"
        "✏️ lets you write what the answer should have been. That teaches most.\n"
        "⚖️ sets a second answer beside the first, and you say which is better.\n"
        "Old answers: right-click, Apps, “Rate this answer” or “Correct this answer”.\n"
        "**What becomes of it**\n{becomes}\n"
        "Nobody else sees how you rated. /privacy says what is kept, /forget erases it, /consent changes your mind."
    ),
    teach_trains=(
        "Now and then the operator trains a new release on the ratings of those who agreed, and it serves only if it "
        "is better than the one before. While a new one is on trial, your comparisons decide whether it may serve."
    ),
    teach_held=(
        "Comparisons choose between releases: while a new one is on trial, they decide whether it may serve. Beyond "
        "that nothing from Discord trains a model here, because this bot does not have Discord's permission for that."
    ),
    teach_off="On this server members cannot teach yet. Somebody who manages it can allow that: /teaching on.",
    stats_here="Taught on this server so far: {counts}, by {people} people.",
    stats_everywhere="Taught so far: {counts}, by {people} people.",
    stats_serving="{release} answers, of {releases} trained so far.",
    stats_trial=(
        "{release} is on trial: people compared answers to {prompts} questions and preferred its own in {share:.0%}. "
        "It takes {needed} questions, and {people} people, to decide."
    ),
    stats_no_trial="No release is on trial.",
    no_answer_here="This is no answer of mine that I still have.",
    tie="Equally good",
    both_bad="Both bad",
    which_was_which="A was {first}, B {second}.",
    of_one_release="Both were of {first}.",
    the_base="the base model",
    of_release="release {release}",
    # running
    interrupted="(interrupted: I was restarted in the middle of this. ↻ asks the question again.)",
)
