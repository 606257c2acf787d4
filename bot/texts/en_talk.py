"""What everybody reads who talks with the bot, in English."""

from bot.texts.sentences import TalkTexts

TALK = TalkTexts(
    # answering
    waiting="Answers ahead of yours: {ahead}.",
    on_its_way="Your answer is on its way.",
    queue_full="Too many people are waiting for an answer. Please ask again in a minute.",
    queue_full_person="You already have {waiting} questions waiting here. Please let them be answered first.",
    message_too_long="This message is too long: it takes {tokens} tokens and {budget} fit. Please shorten it.",
    empty_answer="(The model had nothing to say. Ask for another answer, or put the question differently.)",
    stopped="(stopped)",
    ended="(I was switched off while I answered. Ask again when I am back.)",
    stopped_early="(stopped before the first word)",
    cut_off="(cut off: the answer reached its limit of {tokens} tokens)",
    outgrown="(cut off: an answer has at most {characters} characters)",
    broke_off="(The answer broke off: {reason})",
    internal_error="Something went wrong on my side; the operator's log says what. Please try again.",
    question_gone="The question is gone, so I cannot answer it again.",
    answer_gone="I no longer have this answer, so it cannot be rated.",
    disk_full=(
        "The disk that I write to is full, so I could not keep this. Everything from before is still there. "
        "Please try again when whoever runs me has made room."
    ),
    store_busy="Another program holds my memory, so I could not keep this. Please try again in a minute.",
    store_broken="I cannot use my memory right now, so I could not keep this; the operator's log says why.",
    # what happened to the engine; the operator's log says more
    engine_unreachable="The model cannot be reached right now. Please try again later; the operator's log says more.",
    engine_failed="The model's server failed. Please try again; the operator's log says more.",
    engine_silent="The model took too long, so I stopped waiting. Please try again, or ask for something shorter.",
    engine_loading="The model is still loading. Please ask again in a minute or two.",
    engine_busy="The model has too much to do right now. Please try again in a moment.",
    engine_busy_for="The model has too much to do right now. Please try again in {seconds} s.",
    engine_spent=(
        "The model's provider answers no more requests, because the account has no credit or quota left. The "
        "operator has to see to that; asking again does not help."
    ),
    engine_filtered="The model's provider refused this question: its filter does not allow it. Put it differently.",
    engine_too_long="This is more text than the model can read at once. Please begin anew, or send a shorter one.",
    engine_refused="The model's server refused the request. The operator's log says why.",
    no_word_left=(
        "(The model used up its limit of {tokens} tokens before the first word of an answer, probably by thinking. "
        "Ask for another answer, or put the question more simply.)"
    ),
    only_thoughts="(The model thought about it and gave no answer. Ask for another one, or put it differently.)",
    part_missing="(A part of this answer may be missing: it did not arrive whole.)",
    filtered="(The filter of the model's provider cut this answer here, so it cannot be rated.)",
    filtered_not_rated="A filter of the model's provider cut this answer, so it cannot be rated.",
    thoughts_taken_back="(That was the model thinking. Its answer:)",
    # ratings
    stored_up="Your vote on this answer is now 👍, thank you.",
    stored_down="Your vote on this answer is now 👎, thank you.",
    stored_correction=(
        "Your correction is noted, thank you. From now on the model sees it when you ask a similar question; "
        "{slash}lessons lists what you taught."
    ),
    stored_correction_alone=(
        "Your correction is noted, thank you. The model does not see it when you ask a similar question, because it "
        "is too long for that, or because the question is by somebody who has not agreed."
    ),
    stored_comparison="Your verdict is noted, thank you.",
    stored_follow_up="This is kept as what came after the answer.",
    stored_retraction="Your vote is taken back. You have no vote on this answer now.",
    already="That is already noted.",
    nothing_to_retract="You have not rated this answer, so there is nothing to take back.",
    nothing_to_rate="There is no answer to rate yet.",
    correction_empty="Write the better answer after the command: /correct The better answer.",
    correction_same="This is the same as the answer. Write what it should have been.",
    # consent
    consent_question=(
        "May Parley learn from you? If you agree, your ratings and what you say to the bot from now on are kept and "
        'may be used to train it. What you say right after an answer (thanks, a complaint, "stop", the same '
        "question again, or just carrying on) may count as a weak rating of that answer, and if you complain and the "
        "next answer is better, the bot may learn to answer like that at once. A correction is also shown to the "
        "model as an example when you ask a similar question. Once a manager of the server accepts it or three other "
        "people confirm it, it is shown for everybody's questions there, and once the operator of this bot accepts "
        "it, for everybody's on all servers. If you don't agree, you can still talk to it, nothing you say or rate "
        "is used, and your messages are erased after {days} days. You can change your mind at any time."
    ),
    consent_question_held=(
        "May Parley learn from you? If you agree, your ratings and what you say to the bot from now on are kept and "
        'may be used to train it. What you say right after an answer (thanks, a complaint, "stop", the same '
        "question again, or just carrying on) may count as a weak rating of that answer, and if you complain and the "
        "next answer is better, the bot may learn to answer like that at once. At present nothing from Discord is "
        "used to train a model here: Discord allows that only with its permission, which this bot does not have. "
        "Your comparisons of answers help choose which release serves. A correction is shown to the model as an "
        "example when you ask a similar question. Once a manager accepts it or three other people confirm it, it is "
        "shown for everybody's questions on this server, and once the operator of this bot accepts it, for "
        "everybody's on all servers. Apart from that, your ratings are kept but not used yet. If you don't agree, "
        "you can still talk to it, nothing you say or rate is used, and your messages are erased after {days} days. "
        "You can change your mind at any time."
    ),
    consent_first=(
        "Ratings are kept only with your consent: see {slash}privacy, then {slash}consent yes. This one was not kept."
    ),
    consent_given=(
        "Thank you. Your ratings and what you say from now on may be used to train the bot. What you said before is "
        "not covered, so ratings count in conversations that begin after your yes."
    ),
    consent_given_held=(
        "Thank you. Your ratings are kept from now on, your comparisons help choose which release serves, and your "
        "corrections are shown to the model as examples for similar questions. Nothing from Discord is used to train "
        "a model yet."
    ),
    consent_refused="Understood. Nothing you said or rated is used, and no new rating is kept.",
    consent_unanswered="not answered yet",
    consent_older="yes, to an older text; it covers what you said before the text changed",
    yes="Yes, I agree",
    no="No",
    take_back="Take back",
    not_yours="Only the person who asked can stop this answer.",
    privacy=(
        "What is kept: your messages and the bot's answers, under a pseudonym, on the operator's own machine, where "
        "whoever runs the bot can read them. "
        "{training} Texts of people who have not agreed are erased after {days} days. Your consent: {consent}."
    ),
    training="With your consent they may be used to train this bot; without it they are not.",
    training_held=(
        "At present nothing from Discord is used to train a model, with or without your consent, because this bot "
        "does not have Discord's permission for that."
    ),
    # terminal
    serving="Release {release} answers.",
    serving_other="{model} answers; it is not one of the releases trained here.",
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
        "/correct TEXT    what the last answer should have been; without TEXT you write several lines\n"
        "/again           get another answer, then say which is better: a, b, tie or bad\n"
        "/new             begin a new conversation\n"
        "/retract         take back your vote on the last answer\n"
        "/stop            stop the answer that is running (Ctrl-C does the same)\n"
        "/persona NAME    begin a new conversation with another persona\n"
        "/lessons         your corrections, which the model sees for similar questions; edit or remove them\n"
        "/stats           what was taught so far, and how far it is to the next verdict\n"
        "/consent yes|no  whether your ratings and messages may be used to train the bot\n"
        "/privacy         what is kept, and for how long\n"
        "/forget          how to erase everything that you said and rated\n"
        "/help            this list\n"
        "/quit            leave"
    ),
    unknown_command="There is no command {name}.",
    did_you_mean=" Did you mean {name}?",
    which_is_better="Which is better, the first (a) or the second (b)? a, b, tie, bad: ",
    not_a_verdict="No verdict noted (a, b, tie and bad are verdicts).",
    not_comparable="The question or the settings have changed in between, so the two answers are not compared.",
    not_comparable_taught="The first answer was given without that correction, so the two are not compared.",
    no_question="There is no question to answer again yet.",
    persona_now="You are talking to the persona {name}.",
    persona_list="The personas are {names}. You are talking to {name}.",
    from_entry="(see {entry})",
    with_correction="(The model was shown a correction before it gave this answer.)",
    lessons_none="You have taught nothing yet. Correct an answer, then ask a similar question.",
    lessons_mine="When you ask a similar question, the model sees the answer that you taught:",
    lessons_line="{number}. {question} → {answer}{scope}{hidden}{learnt}",
    lessons_learnt=" (learnt: the model no longer needs to see it)",
    lessons_hidden=" (from a channel that not everybody sees)",
    lessons_on_server=" (on the whole server)",
    lessons_everywhere=" (on all servers)",
    lessons_more="... and {count} more, on page {page}.",
    lessons_change="/lessons remove NUMBER removes one; /lessons edit NUMBER TEXT changes its answer; "
    "/lessons page 2 lists older ones.",
    lesson_gone="You have no lesson {number}.",
    lesson_removed="The model no longer sees lesson {number}. Your correction stays among your ratings.",
    nothing_runs="No answer is running.",
    forget_usage="To erase all that you said and rated, leave with /quit and run: python -m data forget {name}",
    consent_usage="Write /consent yes or /consent no. Your consent: {consent}.",
    ask_consent="Agree? [y/n] ",
    yes_or_no="Please answer y (yes) or n (no).",
    ask_new="This conversation began before your yes, so it stays out of training. Begin a new one now? [y/n] ",
    begun_anew="A new conversation begins: the model no longer sees what was said before.",
    correction_lines="Write the better answer, in as many lines as you like. A line with only a dot ends it.",
    goodbye="Goodbye.",
    # moderation
    moderated_question="I cannot answer this: it says something that is not allowed here. Nothing was kept.",
    moderated_self_harm=(
        "This sounds hard, and I am only a program. Please talk to a person now: somebody you trust, a doctor, or "
        "the crisis line or emergency service where you live. They are there for exactly this, at any hour. What "
        "you wrote was not kept."
    ),
    moderated_answer="(I took this answer back: it said something that is not allowed here. You can ask again.)",
    moderated_rating="This says something that is not allowed here, so it was not kept. Please put it differently.",
    moderation_away=(
        "Messages are checked before I answer, and the check does not work right now. Nothing was kept; please try "
        "again later."
    ),
    moderation_away_answer="(This answer could not be checked, so it is not shown. Please ask again later.)",
    privacy_checked_outside=(
        "What you write, and the bot's answers, are sent to a service outside this installation, which checks them "
        "for content that is not allowed."
    ),
    # what a question refers to and was not read
    quoted_left="(Not read in what you refer to: {names}. I read only text files, up to {kib} KiB in one message.)",
    quoted_hidden=(
        "(Discord does not show me what the message that you replied to says. Put its words into your question, and "
        "I will read them.)"
    ),
    quoted_gone="(The message that you replied to is gone, so I answered without it.)",
    quoted_unread="(I could not read the message that you replied to, so I answered without it.)",
    quoted_too_long="(What you replied to is too long for me, so I did not read all of it.)",
    earlier_unread="(I did not read everything that was said before the message that you replied to.)",
    # beginning anew
    anew="New conversation",
    anew_offer="{slash}new begins a new conversation.",
    anew_begun=(
        "A new conversation begins here. What was said before is not erased, but I no longer look at it unless you "
        "reply to it."
    ),
    anew_nothing="There is nothing to leave behind: your next message begins a new conversation anyway.",
    anew_replies=(
        "In this channel every mention that is not a reply begins a new conversation, and a reply continues the one "
        "that it replies to. So simply mention me again, without replying."
    ),
)
