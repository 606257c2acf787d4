"""The bot's sentences in English."""

from bot.texts.sentences import Texts

EN = Texts(
    waiting="Answers ahead of yours: {ahead}.",
    queue_full="Too many people are waiting for an answer. Please ask again in a minute.",
    queue_full_person="You already have {waiting} questions waiting here. Please let them be answered first.",
    message_too_long="This message is too long: it takes {tokens} tokens and {budget} fit. Please shorten it.",
    empty_answer="(The model had nothing to say. Ask for another answer, or put the question differently.)",
    stopped="(stopped)",
    ended="(I was switched off here. Ask again when I am back.)",
    stopped_early="(stopped before the first word)",
    cut_off="(cut off: the answer reached its limit of {tokens} tokens)",
    broke_off="(The answer broke off: {reason})",
    internal_error="Something went wrong on my side, and the operator's log says what. Please try again.",
    question_gone="The question is no longer there, so there is nothing to answer again.",
    answer_gone="I no longer have this answer, so it cannot be rated.",
    stored_up="Your vote on this answer is 👍 now, thank you.",
    stored_down="Your vote on this answer is 👎 now, thank you.",
    stored_correction="Your correction is noted, thank you.",
    stored_comparison="Your verdict is noted, thank you.",
    stored_retraction="Your vote is taken back: you have none on this answer now.",
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
    consent_first=(
        "Ratings are kept only with your consent: see {slash}privacy, then {slash}consent yes. This one was not kept."
    ),
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
    consent_older="yes, to an older text, which covers what you said before it changed",
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
    cannot_read_thread=(
        "Discord shows me only messages that mention me or reply to me with a ping. Please do one of them in this "
        "thread, too."
    ),
    files_left="I read text files only, up to {kib} KiB in one message. Not read: {names}.",
    file_unreadable="The file {name} is gone or no UTF-8 text, so I cannot answer. Send it again as plain text.",
    go_on="Continue",
    go_on_please="Please go on exactly where you stopped.",
    chat_opened="Your thread is open: {thread}.",
    chat_not_here="I can open a thread only in a text channel. Where you are, simply mention me.",
    chat_refused="I may not open a thread in this channel. Somebody who manages it can allow me to do it.",
    chat_write="Write here as you like, nobody needs to mention me.",
    chat_mention="Mention me, or reply to me with a ping: other messages Discord does not show me.",
    threads_on="A first mention in this channel is answered in a thread from now on.",
    threads_off="Mentions are answered right in this channel.",
    two_answers="Two answers this time. Which one is better? Anyone may say.",
    two_coming="Two answers are on their way, for you to compare …",
    no_two_answers="No other whole answer came that differs from this one, so there is nothing to compare.",
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
        "it: {slash}teaching on."
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
    kept=(
        "What you said to me, your ratings, your answers about consent, what you did as a manager or operator, and "
        "which threads I opened for you, as I keep them, are in this file."
    ),
    forget_question=(
        "Erase everything of yours: all that you said to me, my answers to it, your ratings and corrections? This "
        "cannot be undone. Releases that were trained before, or are being trained, keep what they learnt; later "
        "ones are trained without it. What you wrote stays on Discord until you delete it there. What you did as a "
        "manager or operator stays written down, under a name that leads to nobody any more, and on the lists of a "
        "server's managers you stay until they clear them."
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
        "Nobody else sees how you rated. {slash}privacy says what is kept, {slash}forget erases it, {slash}consent "
        "changes your mind."
    ),
    teach_trains=(
        "Now and then the operator trains a new release on the ratings of those who agreed, and it serves only if it "
        "is better than the one before. While a new one is on trial, your comparisons decide whether it may serve."
    ),
    teach_held=(
        "Comparisons choose between releases: while a new one is on trial, they decide whether it may serve. Beyond "
        "that nothing from Discord trains a model here, because this bot does not have Discord's permission for that."
    ),
    teach_off="On this server members cannot teach yet. Somebody who manages it can allow that: {slash}teaching on.",
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
    # operators, and what people see of learning
    vote_up="Your vote on this answer is 👍.",
    vote_down="Your vote on this answer is 👎.",
    vote_none="You have no vote on this answer.",
    consent_changed=(
        "You agreed before, to an older text, and that still holds for what you said under it. What is done has "
        "changed since, so before a new rating of yours is kept, please answer once more:"
    ),
    operators_only=(
        "Only who runs this bot can do that: the owner of its application, its team, and those whom PARLEY_OPERATORS "
        "names."
    ),
    audit_managers_only="Only who may manage this server can see that.",
    audit_newest="What managers and operators did, the newest first:",
    audit_empty="Nothing was done yet that is written down here.",
    audit_you="you",
    stats_rounds="Rounds so far: {rounds}. Releases of theirs that the gate let serve: {promoted}.",
    stats_learnt=(
        "How often each release won against the champion of its time, with the interval that the gate looked at. The "
        "dotted line is one half; ● became the champion, ○ did not."
    ),
    stats_trial_few=(
        "{release} is on trial: people compared answers to {prompts} questions. It takes {needed} questions, and "
        "{people} people, to decide; of fewer people it is not shown what they preferred."
    ),
    stats_picture="Win rate of each release, with its interval. {figures}.",
    gate_yes="gate: yes",
    gate_no="gate: no",
    gate_silent="not judged",
    rounds_paused_since="Rounds are paused since {when}; {slash}release resume lets them begin again.",
    engine_well="The engine answers.",
    engine_away="The engine does not answer. Its log says why.",
    status_load="Servers: {servers}. Answers running: {running}, waiting: {waiting}. Up for {uptime}.",
    duration="{days} d {hours} h {minutes} min",
    serves_already="That is the champion already: {release}.",
    no_such_release="There is no release {number}. The newest are {numbers}; 0 is the base model.",
    promote_anyway="To let it serve all the same, set the option `anyway` to True.",
    promote_question="Let {release} serve instead of {champion}? Running bots take it over by themselves.",
    promote_yes="Yes, let it serve",
    gate_never_asked="The gate was never asked about this release.",
    gate_said_yes="The gate said yes. {reasons}",
    gate_said_no="The gate said no. {reasons}",
    gate_compared_with="That was against {release}, which does not serve now.",
    superseded="Another release became the champion meanwhile, so nothing was changed. See {slash}release status.",
    promoted="Done: {release} serves now, and {before} before it. {slash}release rollback goes back.",
    no_earlier_champion="There is no earlier champion to go back to.",
    rolled_back="Done: {release} serves again; {before} stays, and can be promoted again.",
    rounds_paused_now="Rounds are paused: none begins until {slash}release resume. One that runs now goes on.",
    rounds_paused_already="Rounds were paused before.",
    rounds_resumed_now="Rounds may begin again.",
    rounds_not_paused="Rounds were not paused.",
    # moderation
    moderated_question="I do not answer this: it says something that is not allowed here. Nothing of it was kept.",
    moderated_self_harm=(
        "This sounds hard, and I am only a program. Please talk to a person now: somebody you trust, a doctor, or "
        "the crisis line or emergency service where you live. They are there for exactly this, at any hour. What "
        "you wrote was not kept."
    ),
    moderated_answer="(I took this answer back: it said something that is not allowed here. You can ask again.)",
    moderated_rating="This says something that is not allowed here, so it was not kept. Please put it differently.",
    moderation_away="What is written here is checked first, and that fails just now. Nothing was kept; try again.",
    moderation_away_answer="(This answer could not be checked, so it is not shown. Please ask again later.)",
    privacy_checked_outside=(
        "Before it is answered, what you write goes to a service outside this installation that looks for what is "
        "not allowed; so do the answers."
    ),
    # rules: who is answered, how often, by which persona
    comma=", ",
    access_person="The managers of this server do not let me answer you here, or take ratings of yours.",
    access_place="I do not answer here: the managers of this server turned me off in this place.",
    access_unlisted="On this server I answer only people and roles that its managers allowed. Please ask them.",
    access_choose="Nothing was changed. Choose a person or role (`who`), a place (`where`), or `everywhere`.",
    access_full="Nothing was changed: this list holds {most} entries. Clear some, or choose a role for many people.",
    access_people_allowed="I answer only: {names}",
    access_people_blocked="I never answer: {names}",
    access_places_allowed="I answer in: {names}",
    access_places_blocked="I do not answer in: {names}",
    access_whole_server="the whole server",
    access_nothing="Nothing is allowed or blocked: I answer everybody, everywhere on this server.",
    access_managers=(
        "-# Of places, the narrowest counts: thread, channel, category, server. Who manages the server is always "
        "answered."
    ),
    hourly_person=(
        "You had {limit} answers within an hour, as many as one person may have here. "
        "There is room again in {minutes} min."
    ),
    hourly_channel=(
        "This channel had {limit} answers within an hour, as many as it may have. "
        "There is room again in {minutes} min."
    ),
    hourly_server=(
        "This server had {limit} answers within an hour, as many as it may have. "
        "There is room again in {minutes} min."
    ),
    limits_here="Answers an hour here: {limits}",
    limits_on_server="On this server: {limits}",
    limits_installation="Of the whole installation: {limits}",
    limit_person="{limit} a person",
    limit_channel="{limit} a channel",
    limit_server="{limit} a server",
    no_limit="no limit set",
    limits_server_wide="Nothing was changed. A limit for the whole server needs `where: server`.",
    limits_too_wide="Nothing was changed: the operator of this bot allows no more than {limits}.",
    persona_missing="There is no such persona here. There are {names}.{nearest}",
    persona_unknown="This server wrote no persona named {name}.{nearest}",
    persona_ships=" The one of that name comes with the bot and stays.",
    persona_taken="The name {name} is taken: it comes with the bot. Choose another one.",
    persona_name="A persona's name has 1 to 32 letters, digits, hyphens or underscores, and no spaces.",
    persona_most=(
        "This server has {most} personas, and there may be no more. Delete one first: {slash}persona_delete."
    ),
    persona_empty="Nothing was kept: a persona needs a text that says who it is.",
    persona_long=(
        "Nothing was kept: the text may have {longest} characters and the greeting {greeting}. Please shorten them."
    ),
    persona_no_room=(
        "Nothing was kept: this text takes {tokens} tokens of the model's memory, and {most} are the most that leave "
        "room to talk. Please shorten it."
    ),
    persona_written=(
        "The persona {name} is kept. `{slash}persona name:{name}` lets it answer, here or on the whole server."
    ),
    persona_deleted="The persona {name} is deleted. Where it answered, the persona of the wider place does now.",
    persona_title="Persona: {name}",
    persona_becomes=(
        "The model reads this text before every question. Where members agreed and training is allowed, it is part "
        "of the rows that a model is trained on. It belongs to the server: write nothing private."
    ),
    persona_prompt="Who is it, and how does it talk?",
    persona_prompt_help="For example: You are a patient librarian. You answer briefly and name your sources.",
    persona_greeting="Its greeting, if you like",
    persona_greeting_help="What it says to somebody who mentions it without a question.",
    # running
    interrupted="(interrupted: I was restarted in the middle of this. ↻ asks the question again.)",
    # who may open a thread and ask again, and answers that found no room
    chat_not_allowed="You may not open threads in this channel, so I open none for you. Its managers can allow it.",
    chat_enough=(
        "You opened {limit} threads within an hour, as many as one person may. There is room again in {minutes} min."
    ),
    only_asker_retries="Only who asked this can ask it again: I have not kept it.",
    not_shown=(
        "I could not show the answer: Discord did not let me write here. Somebody who manages this channel can allow "
        "me to."
    ),
)
