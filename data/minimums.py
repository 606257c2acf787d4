"""How much feedback it takes before a model of people's preferences judges, and before thumbs or complaints train.

`data.releases` has the minimums of a verdict on two releases.
"""

# A judge that learns from fewer pairs than this agrees with people hardly better than chance.
JUDGE_PAIRS = 40
# Fewer thumbs of one direction than this may be one person's mood.
MINIMUM_THUMBS = 8
# The same of complaints that the next answer mends, where DPO has no other pairs.
MINIMUM_MENDED = 8
