"""The ways in which a training can end without a result."""

from data.errors import ParleyError

DIVERGED = "the training diverged. Lower learning_rate, or raise the batch, and train again."


class Diverged(ParleyError):
    """Loss, gradient or weights are no longer finite. A search counts such a trial as failed and continues."""


class AlreadyDone(Exception):
    """The run folder holds this very run, complete."""
