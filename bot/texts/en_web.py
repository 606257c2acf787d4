"""What is said on the web page, in English."""

from bot.texts.web_sentences import WebTexts

WEB = WebTexts(
    web_skip="Skip to the conversation",
    web_menu="Menu",
    web_new="New conversation",
    web_conversations="Your conversations",
    web_no_conversations="None yet.",
    web_conversation="Conversation",
    web_erased="(erased)",
    web_write="Your message",
    web_send="Send",
    web_send_how="Enter sends, Shift+Enter begins a new line.",
    web_stop="Stop",
    web_persona="Persona",
    web_persona_choose="Choose",
    web_you="You",
    web_bot="Parley",
    web_thinks="What the model thinks",
    web_up="Good answer",
    web_down="Bad answer",
    web_correct="Correct",
    web_again="Another answer",
    web_two="Compare two",
    web_place="Answer {place} of {count}",
    web_earlier="Earlier answer",
    web_later="Later answer",
    web_which="Two answers. Which one is better?",
    web_a_better="A is better",
    web_b_better="B is better",
    web_save="Save",
    web_cancel="Cancel",
    web_changes="What you changed",
    web_here="What you write here does not come through Discord. If you agree, it may train this bot.",
    web_here_agreed="What you write here does not come through Discord. You agreed, so it may train this bot.",
    web_after_yes=(
        "If you agree now, this conversation still stays out of training, since it began before. A new one counts."
    ),
    web_teach="How to teach",
    web_teach_how=(
        "👍 👎 say whether an answer is good; 👎 asks what was wrong.\n“Correct” lets you write what the answer "
        "should have been. That teaches most.\n“Compare two” shows a second answer beside the first, and you say "
        "which is better."
    ),
    web_becomes="What happens with it",
    web_so_far="So far",
    web_board="The board",
    web_trial_bar="Share of comparisons that the release on trial wins",
    web_far="How far it is to the next verdict",
    web_wins="Comparisons won",
    web_wins_how="Each release against the champion of its time, with its interval. The middle line is a draw.",
    web_rounds="Rounds",
    web_no_rounds="No round has been decided yet.",
    web_round="Round {number}",
    web_serves="serves now",
    web_operate="Operate",
    web_load="Answers running: {running}, waiting: {waiting}.",
    web_round_runs="A round runs now.",
    web_no_round_runs="No round runs now.",
    web_paused_since="Rounds have been paused since {when}.",
    web_pause="Pause rounds",
    web_resume="Let rounds begin again",
    web_rounds_paused="Rounds are paused: none starts. A running round continues.",
    web_releases="Releases",
    web_roll_back="Go back to the previous champion",
    web_tried="on trial",
    web_anyway="The gate said no; let it serve anyway",
    web_let_serve="Let it serve",
    web_promoted="Done: {release} serves now, in place of {before}.",
    web_review="What the next round would train on",
    web_review_what=(
        "The newest rows come first. “Void” takes out all ratings of the answers that a row is made of: of "
        "both answers, where it compares two. Ratings that people give them later count again. Questions and "
        "imported rows have no ratings to void."
    ),
    web_review_rater="Rated by",
    web_review_word="Contains",
    web_review_kind="Kind",
    web_review_reason="Why it counts so much",
    web_review_all="all",
    web_review_show="Show",
    web_review_count="Rows: {rows}. Page {page} of {pages}.",
    web_review_weight="Weight",
    web_review_undecided=("a draw decides whether it trains when a round begins, and its weight may change then"),
    web_review_chosen="better",
    web_review_rejected="worse",
    web_review_void="Void",
    web_review_voided=("All ratings of this row's answers are void; no row is made of them any more."),
    web_review_no_row=("The next round would not train on this row, so nothing has changed."),
    web_review_no_page="There is no such page.",
    web_review_left_out="What cannot be used now",
    web_review_newer="Newer",
    web_review_older="Older",
    web_review_kinds=("demonstration", "preference", "labelled completion", "question"),
    web_review_reasons=(
        "counts in full",
        "somebody behind it counts less than in full",
        "people disagree about it",
        "one person's share is limited",
        "stands for somebody who rated little",
        "made of a follow-up message",
        "imported from a file",
        "a question alone",
    ),
    web_superseded="Another release has become the champion meanwhile, so nothing was changed.",
    web_lessons="Your lessons",
    web_lesson_change="Change",
    web_lesson_remove="Remove",
    web_question="Question",
    web_answer="Answer",
    web_ratings="Your ratings",
    web_no_ratings="You have not rated anything yet.",
    web_kinds=("vote 👍", "vote 👎", "comparison", "correction", "report", "vote taken back"),
    web_open="Open",
    web_privacy="Privacy",
    web_export="Download all that is kept about you",
    web_forget="Erase all that is kept about you",
    web_sign_in="Sign in",
    web_sign_out="Sign out on all devices",
    web_welcome=(
        "Talk with this community's bot, and teach it: what you rate and correct makes the next release better."
    ),
    web_with_discord="Sign in with Discord",
    web_by_link=(
        "On Discord, write {slash}web to the bot: it gives you a personal link, which signs you in here as the same "
        "person."
    ),
    web_as_guest="Talk as a guest",
    web_guest_how=(
        "A guest has no account: only this browser leads back to what you said, so take care of its cookies."
    ),
    web_operator="I run this bot: print a link",
    web_operator_how="The link is printed where the bot runs, so only you can read it.",
    web_operator_printed="A link was printed where the bot runs. Open it within 15 minutes.",
    web_operator_at_start="Do you run this bot? It prints your link when it starts. For a new one, start it again.",
    web_operator_link=(
        "The page is at {address}\nTo sign in as the operator, once, within {minutes} minutes: {link}"
    ),
    web_operator_another="The page's sign-in prints another one here.",
    web_link_question=(
        "This personal link signs you in as the person that it was made for. It works once. If you did not ask for "
        "it, close this page: whoever sent it to you would read what you write here."
    ),
    web_link_over="This link was used already, or it is too old. Please ask for a new one.",
    web_discord_failed="Discord did not say who you are. Please try again.",
    web_gone="There is nothing here, or it is not yours.",
    web_forged="This form is too old, or it came from another page. Load the page again and repeat what you did.",
    web_too_often="Too many attempts from your address. Please try again in {minutes} minutes.",
    web_too_long="A text may have {characters} characters at most. Please shorten it.",
    web_empty="Write something first.",
    web_link=(
        "Your personal link to the page. It works once, for {minutes} minutes, and is for you alone: {link}\nWhat "
        "you write there does not come through Discord: with your consent it may train this bot."
    ),
    web_off="This bot has no page at present. Its operator can switch it on.",
    web_teach_there=(
        "What you write on the page does not come through Discord, so with your consent it may train this bot. "
        "{slash}web gives you your personal link: {address}"
    ),
)
