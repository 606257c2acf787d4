#!/usr/bin/env bash
# The whole loop in one go, without Discord and without a GPU, in a separate home (var/demo).
# Called by `make demo`; `make demo DEMO=short` trains on a handful of rows only, to show that everything runs.
set -euo pipefail
cd "$(dirname "$0")/.."

python=.venv/bin/python
# As every command finds them, from the environment or .env.
real_home=$($python -c 'from data.home import home; print(home())')
PARLEY_BASES=$($python -c 'from data.home import bases_dir; print(bases_dir())')
# The demo shows the bundled base, whichever one the real home has.
export PARLEY_BASES PARLEY_HOME=$real_home/demo PARLEY_BASE=smollm2-135m

size=${1:-full}
case $size in
  full) limits=(--max_demonstrations 96 --max_preferences 48 --questions 6 --suites quick) ;;
  short) limits=(--max_demonstrations 16 --max_preferences 8 --questions 2 --suites quick) ;;
  *) echo "demo: expected 'full' or 'short', found '$size'." >&2; exit 2 ;;
esac

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }

if [ -e "$PARLEY_HOME" ]; then
  rm -rf "$PARLEY_HOME.before"
  mv "$PARLEY_HOME" "$PARLEY_HOME.before"
  echo "The demo starts over; the previous one is kept as $PARLEY_HOME.before."
fi
mkdir -p "$PARLEY_HOME"
# Every installation draws a secret key, which decides which rows are held out. The demo's key is fixed and public, so that
# it trains on the same seed rows and is judged by the same others on every machine.
printf 'parley: the demo has a fixed key' > "$PARLEY_HOME/key"
chmod 600 "$PARLEY_HOME/key"

say "1. Import the feedback that ships with Parley"
$python -m data import data/seed/*/*.jsonl
say "2. What it holds"
$python -m data stats
say "3. One round: train, evaluate, write a release, let the gate decide"
set +e
$python -m alignment.round "${limits[@]}"
verdict=$?
set -e
[ $verdict -le 1 ] || exit $verdict

say "Done in $((SECONDS / 60)) min $((SECONDS % 60)) s."
if [ $verdict -eq 1 ]; then
  echo "The gate refused the candidate, so the base model stays in service. With a handful of rows that is to be expected."
fi
# So that they can be pasted.
printf -v places 'PARLEY_HOME=%q PARLEY_BASES=%q PARLEY_BASE=%q' "$PARLEY_HOME" "$PARLEY_BASES" "$PARLEY_BASE"
echo "Chat with the champion, and rate its answers:   $places make run"
echo "Look at the round's report in a browser:          $PARLEY_HOME/rounds/0001/report.html"
echo "Train on your ratings, then let the gate decide:"
echo "  $places $python -m alignment.round"
echo "The demo's key is public, so keep real conversations in another home, such as the default one."
