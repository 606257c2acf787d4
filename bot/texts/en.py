"""The bot's sentences in English."""

from bot.texts.sentences import Texts

EN = Texts(
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
    stored_up="Your vote on this answer is now 👍, thank you.",
    stored_down="Your vote on this answer is now 👎, thank you.",
    stored_correction="Your correction is noted, thank you.",
    stored_comparison="Your verdict is noted, thank you.",
    stored_retraction="Your vote is taken back. You have no vote on this answer now.",
    already="That is already noted.",
    nothing_to_retract="You have not rated this answer, so there is nothing to take back.",
    nothing_to_rate="There is no answer to rate yet.",
    correction_empty="Write the better answer after the command: /correct The better answer.",
    correction_same="This is the same as the answer. Write what it should have been.",
    consent_question=(
        "May Parley learn from you? If you agree, your ratings and what you say to the bot from now on are kept and "
        "may be used to train it. If you don't, you can still talk to it, nothing you say or rate is used for "
        "training, and your messages are erased after {days} days. You can change your mind at any time."
    ),
    consent_question_held=(
        "May Parley learn from you? If you agree, your ratings and what you say to the bot from now on are kept and "
        "may be used to train it. At present nothing from Discord is used to train a model here: Discord allows that "
        "only with its permission, which this bot does not have. Your comparisons of answers help choose which "
        "release serves; apart from that, your ratings are kept but not used yet. "
        "If you don't agree, you can still talk to it, nothing you say or rate is used, and your messages are erased "
        "after {days} days. You can change your mind at any time."
    ),
    consent_first=(
        "Ratings are kept only with your consent: see {slash}privacy, then {slash}consent yes. This one was not kept."
    ),
    consent_given=(
        "Thank you. Your ratings and what you say from now on may be used to train the bot. What you said before is "
        "not covered, so ratings count in conversations that begin after your yes."
    ),
    consent_given_held=(
        "Thank you. Your ratings are kept from now on, and your comparisons help choose which release serves. "
        "Nothing from Discord is used to train a model yet."
    ),
    consent_refused="Understood. Nothing you said or rated is used, and no new rating is kept.",
    consent_unanswered="not answered yet",
    consent_older="yes, to an older text; it covers what you said before the text changed",
    yes="Yes, I agree",
    no="No",
    take_back="Take back",
    not_yours="Only the person who asked can stop this answer.",
    privacy=(
        "What is kept: your messages and the bot's answers, under a pseudonym, on the operator's own machine. "
        "{training} Texts of people who have not agreed are erased after {days} days. Your consent: {consent}."
    ),
    training="With your consent they may be used to train this bot; without it they are not.",
    training_held=(
        "At present nothing from Discord is used to train a model, with or without your consent, because this bot "
        "does not have Discord's permission for that."
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
        "/correct TEXT    what the last answer should have been; without TEXT you write several lines\n"
        "/again           get another answer, then say which is better: a, b, tie or bad\n"
        "/new             begin a new conversation\n"
        "/retract         take back your vote on the last answer\n"
        "/stop            stop the answer that is running (Ctrl-C does the same)\n"
        "/persona NAME    begin a new conversation with another persona\n"
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
    no_question="There is no question to answer again yet.",
    persona_now="You are talking to the persona {name}.",
    persona_list="The personas are {names}. You are talking to {name}.",
    nothing_runs="No answer is running.",
    forget_usage="To erase all that you said and rated, leave with /quit and run: python -m data forget {name}",
    consent_usage="Write /consent yes or /consent no. Your consent: {consent}.",
    ask_consent="Agree? [y/n] ",
    yes_or_no="Please answer y (yes) or n (no).",
    ask_new="This conversation began before your yes, so it stays out of training. Begin a new one now? [y/n] ",
    begun_anew="A new conversation begins: the model no longer sees what was said before.",
    correction_lines="Write the better answer, in as many lines as you like. A line with only a dot ends it.",
    goodbye="Goodbye.",
    mention_only="Hello! Write your question in the same message, and I will answer it.",
    cannot_read="Discord does not show me what this message says. Mention me in it, and I will answer.",
    cannot_read_thread=(
        "Discord shows me only messages that mention me or reply to me with a ping. Please do that in this thread, "
        "too."
    ),
    files_left="I read only text files, up to {kib} KiB in one message. Not read: {names}.",
    file_unreadable="The file {name} is gone or is not UTF-8 text, so I cannot answer. Send it again as plain text.",
    go_on="Continue",
    go_on_please="Please continue exactly where you stopped.",
    chat_opened="Your thread is open: {thread}.",
    chat_not_here="I can only open a thread in a text channel. Here, simply mention me.",
    chat_refused="I am not allowed to open a thread in this channel. Somebody who manages it can change that.",
    chat_write="Write whatever you like here. You need not mention me.",
    chat_mention="Mention me, or reply to me with a ping. Discord does not show me other messages.",
    threads_on="From now on, a first mention in this channel is answered in a thread.",
    threads_off="Mentions are answered right here in this channel.",
    two_answers="Two answers this time. Which one is better? Anyone may vote.",
    two_coming="Two answers are on their way, for you to compare …",
    no_two_answers="There was no second complete answer that differs from this one, so there is nothing to compare.",
    fix_title="Correct this answer",
    fix_label="What should the answer have been?",
    fix_file="The answer is too long for this window. Please upload the better answer as a text file.",
    fix_empty="Nothing was written, so nothing was corrected.",
    fix_unreadable="That is not a UTF-8 text file of at most {kib} KiB, so nothing was corrected.",
    why_title="👎 noted. What was wrong?",
    why_reasons="Choose what applies, or nothing",
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
        "Members of this server cannot teach me yet, so nothing was kept. Somebody who manages the server can allow "
        "it with {slash}teaching on."
    ),
    teaching_now_on="From now on, members of this server may rate, compare and correct, each with their own consent.",
    teaching_now_off="Nobody can teach me on this server any more, and nothing from here is used for training.",
    managers_only="Only people who manage this server can change that.",
    deleted="The answer is deleted, here and from what I keep.",
    not_yours_to_delete="Only the person who asked, or somebody who manages messages, can delete this answer.",
    not_deleted="I erased what I keep of it. I am not allowed to delete the message itself here; a moderator can.",
    reported="Thank you. The moderators of this server see it now, but not who reported it.",
    reported_there="⚠️ One of my answers was reported: {link}",
    reports_go="From now on, reported answers are shown in {channel}.",
    reports_off="Reported answers are not shown anywhere now.",
    reports_missing="This server has no channel for reports that I can write in. Please tell its moderators.",
    nothing_to_answer="I cannot answer that message: a bot wrote it, or it has no text.",
    kept=(
        "This file holds what I keep about you: what you said to me, your ratings, your answers about "
        "consent, what you did as a manager or operator, and the threads that I opened for you."
    ),
    forget_question=(
        "Erase what I keep about you: what you said to me, my answers to it, your ratings and corrections? "
        "This cannot be undone. Releases that are trained already, or are being trained, keep what they "
        "learnt; later ones are trained without it. Your messages stay on Discord until you delete them there. What "
        "you did as a manager or operator stays recorded, under a pseudonym that no longer leads to you. If you are "
        "on a list of a server's managers, you stay there until they remove you."
    ),
    forget_yes="Yes, erase it all",
    forgotten="Done: {texts} texts are erased, and your ratings with them.",
    teach=(
        "**How to teach this bot**\n"
        "👍 👎 say whether an answer is good; 👎 asks what was wrong.\n"
        "✏️ lets you write what the answer should have been. That teaches most.\n"
        "⚖️ shows a second answer next to the first, and you say which is better.\n"
        "Old answers: right-click, Apps, “Rate this answer” or “Correct this answer”.\n"
        "**What happens with it**\n{becomes}\n"
        "Nobody else sees how you rated. {slash}privacy says what is kept, {slash}forget erases it, and with "
        "{slash}consent you can change your mind."
    ),
    teach_trains=(
        "From time to time the operator trains a new release on the ratings of people who agreed. It serves only if "
        "it is better than the one before. While a new release is on trial, your comparisons decide whether it may "
        "serve."
    ),
    teach_held=(
        "Comparisons choose between releases: while a new one is on trial, they decide whether it may serve. Apart "
        "from that, nothing from Discord is used to train a model here, because this bot does not have Discord's "
        "permission for that."
    ),
    teach_off=(
        "Members of this server cannot teach me yet. Somebody who manages the server can allow it with "
        "{slash}teaching on."
    ),
    stats_here="Taught on this server so far: {counts}. People who taught: {people}.",
    stats_everywhere="Taught so far: {counts}. People who taught: {people}.",
    stats_serving="{release} answers. Releases trained so far: {releases}.",
    stats_trial=(
        "{release} is on trial: people compared answers to {prompts} questions and preferred its answer in "
        "{share:.0%}. A decision takes {needed} questions and {people} people."
    ),
    stats_left=(
        "Learnt from people who have left since: release {releases}. A release keeps what it learnt; the next round "
        "from the base trains without them."
    ),
    stats_no_trial="No release is on trial.",
    no_answer_here="I no longer have this answer.",
    tie="Equally good",
    both_bad="Both bad",
    which_was_which="A came from {first}, B from {second}.",
    of_one_release="Both came from {first}.",
    the_base="the base model",
    of_release="release {release}",
    # operators, and what people see of learning
    vote_up="Your vote on this answer is 👍.",
    vote_down="Your vote on this answer is 👎.",
    vote_none="You have no vote on this answer.",
    consent_changed=(
        "You agreed to an older text before, and that still holds for what you said at the time. What happens with "
        "ratings and messages has changed since, so please answer once more before I keep a new rating from you:"
    ),
    operators_only=(
        "Only people who run this bot can do that: the owner of its application, its team, and the people named in "
        "PARLEY_OPERATORS."
    ),
    audit_managers_only="Only people who manage this server can see that.",
    audit_newest="What managers and operators did, newest first:",
    audit_empty="Nothing is recorded here yet.",
    audit_you="you",
    stats_rounds="Rounds so far: {rounds}. Releases that the gate let through: {promoted}.",
    stats_learnt=(
        "How often each release won against the champion of its time, with the interval that the gate looked at. The "
        "dotted line is one half; ● became the champion, ○ did not."
    ),
    stats_trial_few=(
        "{release} is on trial: people compared answers to {prompts} questions. A decision takes {needed} questions "
        "and {people} people; with fewer people, what they preferred is not shown."
    ),
    stats_picture="Win rate of each release, with its interval. {figures}.",
    stats_trial_counting="{release} is on trial. How it stands is being counted; ask again in a while.",
    far="For the next verdict there are {parts}.",
    far_and=", ",
    far_prompts="{have} of {needed} held-out prompts",
    far_pairs="{have} of {needed} pairs for a judge",
    far_thumbs="{have} of {needed} thumbs of each direction",
    far_people="{have} of {needed} people",
    far_trial_prompts="{have} of {needed} questions compared in the trial",
    far_trial_people="{have} of {needed} people who compared in it",
    next_prompts="Next: compare or correct answers to about {more} more questions; {lacks} of them will be held out.",
    next_pairs="Next: compare or correct about {more} more answers; {lacks} of them will train a judge.",
    next_thumbs_up="Next: give {lacks} more answers a 👍.",
    next_thumbs_down="Next: give {lacks} more answers a 👎.",
    next_people="Next: more people need to rate answers: {lacks}.",
    next_trial_prompts="Next: compare answers of the release on trial to {lacks} more questions.",
    next_trial_people="Next: more people need to compare answers of the release on trial: {lacks}.",
    next_enough="Next: there is enough for a verdict, so an operator can run a round.",
    far_counting="How far it is to the next verdict is being counted; ask again in a while.",
    gate_yes="gate: yes",
    gate_no="gate: no",
    gate_silent="not judged",
    rounds_paused_since="Rounds have been paused since {when}; {slash}release resume lets them start again.",
    engine_well="The engine answers.",
    engine_away="The engine does not answer. Its log says why.",
    status_load="Servers: {servers}. Answers running: {running}, waiting: {waiting}. Up for {uptime}.",
    duration="{days} d {hours} h {minutes} min",
    serves_already="That is already the champion: {release}.",
    no_such_release="There is no release {number}. The newest are {numbers}; 0 is the base model.",
    promote_anyway="To let it serve anyway, set the option `anyway` to True.",
    promote_question="Let {release} serve instead of {champion}? Running bots switch to it by themselves.",
    promote_yes="Yes, let it serve",
    gate_never_asked="The gate was never asked about this release.",
    gate_said_yes="The gate said yes. {reasons}",
    gate_said_no="The gate said no. {reasons}",
    gate_compared_with="It was compared with {release}, which does not serve now.",
    superseded="Another release has become the champion, so nothing was changed. See {slash}release status.",
    promoted="Done: {release} serves now, in place of {before}. {slash}release rollback goes back.",
    no_earlier_champion="There is no earlier champion to go back to.",
    rolled_back="Done: {release} serves again. {before} is kept and can be promoted again.",
    rounds_paused_now="Rounds are paused: none starts until {slash}release resume. A running round continues.",
    rounds_paused_already="Rounds were already paused.",
    rounds_resumed_now="Rounds may start again.",
    rounds_not_paused="Rounds were not paused.",
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
    # rules: who is answered, how often, by which persona
    comma=", ",
    access_person="The managers of this server do not let me answer you here or take your ratings.",
    access_place="I do not answer here: the managers of this server have turned me off in this place.",
    access_unlisted="On this server I answer only people and roles that its managers have allowed. Please ask them.",
    access_choose="Nothing was changed. Choose a person or role (`who`), a place (`where`), or `everywhere`.",
    access_full=(
        "Nothing was changed: the list is full, it holds {most} entries. Clear some, or choose a role that many "
        "people have."
    ),
    access_people_allowed="I answer only: {names}",
    access_people_blocked="I never answer: {names}",
    access_places_allowed="I answer in: {names}",
    access_places_blocked="I do not answer in: {names}",
    access_whole_server="the whole server",
    access_nothing="Nothing is allowed or blocked: I answer everybody, everywhere on this server.",
    access_managers=(
        "-# The most specific place decides: thread, then channel, category, server. People who manage the server "
        "are always answered."
    ),
    hourly_person=(
        "You had {limit} answers within an hour, which is the limit for each person here. "
        "You can ask again in {minutes} min."
    ),
    hourly_channel=(
        "This channel had {limit} answers within an hour, which is its limit. You can ask again in {minutes} min."
    ),
    hourly_server=(
        "This server had {limit} answers within an hour, which is its limit. You can ask again in {minutes} min."
    ),
    limits_here="Answers per hour here: {limits}",
    limits_on_server="On this server: {limits}",
    limits_installation="For the whole bot: {limits}",
    limit_person="{limit} for each person",
    limit_channel="{limit} for each channel",
    limit_server="{limit} for each server",
    no_limit="no limit",
    limits_server_wide="Nothing was changed. A limit for the whole server needs `where: server`.",
    limits_too_wide="Nothing was changed: the operator of this bot allows no more than {limits}.",
    persona_missing="There is no such persona here. The personas are {names}.{nearest}",
    persona_unknown="This server has not written a persona named {name}.{nearest}",
    persona_ships=" The persona of that name comes with the bot and cannot be deleted.",
    persona_taken="The name {name} is taken by a persona that comes with the bot. Choose another one.",
    persona_name="A persona's name has 1 to 32 letters, digits, hyphens or underscores, and no spaces.",
    persona_most="This server has {most} personas, which is the limit. Delete one first with {slash}persona_delete.",
    persona_empty="Nothing was kept: a persona needs a text that says who it is.",
    persona_long=(
        "Nothing was kept: the text may have up to {longest} characters and the greeting up to {greeting}. Please "
        "shorten them."
    ),
    persona_no_room=(
        "Nothing was kept: this text takes {tokens} tokens of the model's context. At most {most} leave room for a "
        "conversation. Please shorten it."
    ),
    persona_written=(
        "The persona {name} is kept. With `{slash}persona name:{name}` it answers, here or on the whole server."
    ),
    persona_deleted="The persona {name} is deleted. Where it answered, the persona of the wider place answers now.",
    persona_title="Persona: {name}",
    persona_becomes=(
        "The model reads this text before every question, and everybody here may see it: write nothing private. It "
        "counts as your words. What people teach under it trains the bot only if you agreed with {slash}consent "
        "before you wrote it, and erasing your data erases it."
    ),
    persona_prompt="Who is it, and how does it talk?",
    persona_prompt_help="For example: You are a patient librarian. You answer briefly and name your sources.",
    persona_greeting="Its greeting, if you like",
    persona_greeting_help="What it says to somebody who mentions it without a question.",
    # running
    interrupted="(interrupted: I was restarted while I answered. ↻ asks the question again.)",
    # who may open a thread and ask again, and answers that found no room
    chat_not_allowed=(
        "You are not allowed to open threads in this channel, so I do not open one for you. The people who manage it "
        "can allow it."
    ),
    chat_enough=(
        "You opened {limit} threads within an hour, which is the limit for each person. You can open another one in "
        "{minutes} min."
    ),
    only_asker_retries="Only the person who asked this can ask it again, because I have not kept the question.",
    not_shown=(
        "I could not show the answer: Discord did not let me write here. Somebody who manages this channel can allow "
        "it."
    ),
    no_files_here="I am not allowed to attach files here. Use this command in a direct message to me.",
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
