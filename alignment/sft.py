"""Supervised fine-tuning: the model learns to answer as the demonstrations do.

python -m alignment.sft --config alignment/recipes/sft.yaml --dataset_name rows.jsonl --output_dir out
"""

import sys
from collections.abc import Sequence

from alignment.training.recipe import help_text, wants_help, wants_search
from data.errors import run


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage; the result is `adapter/` (or `model/`) in the run folder."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if wants_help(arguments):
        print(help_text("sft"))
        return 0
    if wants_search(arguments):
        from alignment.search.trials import search

        return search("sft", main, arguments)

    from alignment.training.preflight import show_trained
    from alignment.training.settings import SftSettings
    from alignment.training.stage import begin, finish, load_policy, train, training_arguments
    from alignment.training.trainers import Sft

    with begin("sft", "demonstration", arguments, SftSettings) as stage:
        if stage.run.done:
            return 0
        examples = stage.rows.train.examples
        show_trained(stage.tokenizer, examples, stage.console, stage.run.path / "trained_tokens.txt")

        policy, lora = load_policy(stage)
        trainer = Sft(
            model=policy,
            args=training_arguments(stage),
            train_dataset=stage.rows.train.dataset(),
            eval_dataset=stage.rows.held_out.dataset() if stage.rows.held_out.examples else None,
            processing_class=stage.tokenizer,
            peft_config=lora,
        )
        trainer.row_weights = stage.rows.train.weights
        finish(stage, trainer, train(stage, trainer))
    return 0


if __name__ == "__main__":
    run(main)
