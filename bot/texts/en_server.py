"""What is said on a Discord server, and to the people who run it, in English."""

from bot.texts.sentences import ServerTexts

SERVER = ServerTexts(
    # discord
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
        "Other members do not see how you rated; whoever runs this bot can, under your pseudonym. "
        "{slash}privacy says what is kept, {slash}forget erases it, and with "
        "{slash}consent you can change your mind."
    ),
    teach_trains=(
        "From time to time the operator trains a new release on the ratings of people who agreed. It serves only if "
        "it is better than the one before. While a new release is on trial, your comparisons decide whether it may "
        "serve."
    ),
    teach_followups=(
        "What you say right after an answer counts a little too if you agreed, unless you rate the answer. Thanks, "
        'or just carrying on, speak for it; a complaint, "stop", or the same question again speak against it. If my '
        "next answer does what a complaint asks, it counts a little as the better one."
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
    lessons_change_discord="To change one, use {slash}lessons with its number and `edit` or `remove`.",
    lessons_to_accept="What members taught on this server; a lesson holds only for its author until you accept it:",
    lessons_accept_how=(
        "To let one hold for everybody here, use {slash}lessons with its number and `accept`; `decline` undoes that."
    ),
    lesson_not_here="There is no lesson {number} on this server.",
    lesson_accepted="Lesson {number} now holds for everybody on this server who asks a similar question.",
    lesson_was_hidden="It comes from a channel that not everybody sees; `decline` takes it back.",
    lesson_declined="Lesson {number} now holds only for the person who taught it.",
    faq_imported=(
        "{file}: {new} new entries, {changed} changed, {there} were there already. When somebody on this server asks "
        "a similar question, the model sees the answer, and its reply names the entry."
    ),
    faq_again="Entries that repeat a question of the file: {count}; the last answer holds.",
    faq_too_long=(
        "Too long for a prompt, so the model never sees them: {count} entries, the first of them {entry}. Divide "
        "them and import the file again."
    ),
    faq_unusable="Nothing was imported. {problem}",
    faq_large="Nothing was imported: the file is larger than {kib} KiB. Divide it.",
    faq_unread="Nothing was imported: Discord did not hand the file over. Try again.",
    faq_most=(
        "Nothing was imported: with this file the server would have {count} entries, and {most} are allowed. "
        "{slash}faq remove makes room."
    ),
    faq_none="This server has no FAQ. {slash}faq import takes a file with questions and answers.",
    faq_list="When somebody here asks a similar question, the model sees these answers:",
    faq_how="{slash}faq remove takes an entry out by its number, or all entries of a file by its name.",
    faq_missing="No entry has this number, and no file this name; {slash}faq list shows both.",
    faq_removed="Removed and erased, with the answers that were given with them: {count} entries.",
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
    # how far it is to the next verdict (`bot.progress`)
    far="For the next verdict there are {parts}.",
    far_and=", ",
    far_lacking="{have} of {needed}",
    far_enough="{part} (enough)",
    far_prompts="{count} held-out prompts",
    far_pairs="{count} pairs for a judge",
    far_thumbs="{count} thumbs of each direction",
    far_people="{count} people",
    far_trial_prompts="{count} questions compared in the trial",
    far_trial_people="{count} people who compared in it",
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
    of_other_bases="Releases of other base models, which cannot serve now: {numbers}.",
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
    hourly_key="This key had {limit} answers within an hour, which is its limit. Ask again in {minutes} min.",
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
    # the language of a place
    language_now=(
        "Here I speak {name}: in what everybody reads, and as a persona that comes with the bot. What only you see "
        "is in the language of your Discord."
    ),
    languages=("English", "Chinese"),
    # channels in which the bot speaks by itself
    channel_closed="Nothing was changed: I may not write in {channel}. Allow me to view it and send messages there.",
    announcements_go="From now on, a new release is announced in {channel}.",
    announcements_off="New releases are not announced on this server.",
    announce_new="🌱 From now on, {release} answers.",
    announce_base="🌱 From now on, answers come from another base model, {base}. What people taught is kept: the "
    "next round trains the new model on it.",
    announce_back="From now on, {release} answers again.",
    announce_learnt="Examples that it learnt from: {rows}. People whose feedback is in them: {people}.",
    announce_taught="People whose feedback it learnt from: {people}. Corrections: {corrections}, comparisons: "
    "{comparisons}, thumbs: {thumbs}, imported examples: {imported}.",
    announce_followups=" Messages right after an answer, which count a little: {followups}.",
    announce_mended=" Complaints that the next answer mended: {mended}.",
    announce_about=" Most of it is about answers of {personas}.",
    announce_shorter="Its answers are {share} shorter than those of the release before it.",
    announce_longer="Its answers are {share} longer than those of the release before it.",
    announce_checks="Checks whether anything got worse: {checks}. Things that got worse: {worse}.",
    announce_won="Compared with the release before it, its answers won in {share} of cases.",
    announce_thanks="Thank you to everybody who rated, compared and corrected. {slash}stats shows how it goes on.",
    refusals_go="From now on, {channel} shows once an hour how many messages I refused, where and why.",
    refusals_off="Counts of refused messages are not shown anywhere now.",
    refusals_hour="Messages that I refused in the last hour:",
    refusals_line="{channel}: {counts}",
    refusal_reasons=(
        "{count} from people who are blocked",
        "{count} because this place is blocked",
        "{count} from people who are not allowed",
        "{count} above the limit for each person",
        "{count} above the limit of the channel",
        "{count} above the limit of the server",
        "{count} because too many were waiting",
        "{count} from people with too many questions waiting",
        "{count} held back by moderation",
    ),
    # reactions as votes
    reactions_on="From now on, 👍 and 👎 as reactions to my answers count as votes, with each person's own consent.",
    reactions_off="Reactions to my answers do not count as votes any more. The buttons below them still do.",
    reaction_asks=(
        "You reacted to one of my answers. I count that as a vote if you agree, and I ask only this once. If you do "
        "not want to vote, ignore this message."
    ),
    reaction_how=(
        "-# 👍 and 👎 as reactions to my answers count as votes only from people who agreed: {slash}consent yes, or "
        "the buttons below an answer."
    ),
)
