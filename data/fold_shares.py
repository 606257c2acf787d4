"""The folds and their shares of all rows. What each is for is in `data.folds`."""

# The share of each fold. `gate` decides on promotion and never trains anything; `judge_train` trains judges, that is,
# models of people's preferences, and `judge` checks them.
SHARES: dict[str, float] = {"train": 0.70, "judge_train": 0.10, "judge": 0.05, "gate": 0.15}
NEW = "new"  # stands for the fold of a group that has none yet, where none may be drawn
