"""How a training can end otherwise than with a result."""

from data.errors import ParleyError

DIVERGED = "the training diverged. Lower learning_rate, or raise the batch, and train again."


class Diverged(ParleyError):
    """The weights or the loss are not numbers any more. A search counts such a trial as failed and continues."""


class AlreadyDone(Exception):
    """The run folder holds this very run, complete."""
