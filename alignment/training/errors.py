"""What can go wrong in training that its settings are to blame for."""

from data.errors import ParleyError

DIVERGED = "the training diverged. Lower learning_rate, or raise the batch, and train again."


class Diverged(ParleyError):
    """The weights or the loss are no numbers any more. A search counts such a trial as failed and goes on."""
