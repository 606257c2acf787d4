"""Keeps the libraries' own messages off the screen; errors still show."""

import logging
import warnings


def quiet() -> None:
    """Silence the libraries' progress bars, advice and deprecations. Call it before anything is loaded."""
    import datasets
    import transformers

    warnings.filterwarnings("ignore")
    for name in ("transformers", "trl", "peft", "accelerate", "datasets", "torch", "huggingface_hub", "matplotlib"):
        logging.getLogger(name).setLevel(logging.ERROR)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    datasets.disable_progress_bars()
