"""Keeps the stack's own chatter off a newcomer's screen; what goes wrong still shows."""

import logging
import warnings


def quiet() -> None:
    """Silence progress bars, advice and deprecations of the libraries below us. Call before loading anything."""
    import datasets
    import transformers

    warnings.filterwarnings("ignore")
    for name in ("transformers", "trl", "peft", "accelerate", "datasets", "torch", "huggingface_hub", "matplotlib"):
        logging.getLogger(name).setLevel(logging.ERROR)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    datasets.disable_progress_bars()
