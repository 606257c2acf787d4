"""Direct preference optimization: the model learns which of two answers people preferred.

    python -m alignment.dpo --config alignment/recipes/dpo.yaml --model_name_or_path out/adapter \\
                            --dataset_name rows.jsonl --output_dir out-dpo

Rafailov et al., "Direct Preference Optimization: Your Language Model is Secretly a Reward Model", 2023. The model may
not drift from its reference: the adapter that is continued as it was (a frozen copy), else the base itself.
"""

import sys
from collections.abc import Sequence

from alignment.training.recipe import help_text, wants_help, wants_search
from data.errors import run


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage; the result is `adapter/` (or `model/`) in the run folder, and applies to the base itself."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if wants_help(arguments):
        print(help_text("dpo"))
        return 0
    if wants_search(arguments):
        from alignment.search.trials import search

        return search("dpo", main, arguments)

    from alignment.training.preflight import check_reference, show_trained
    from alignment.training.settings import DpoSettings
    from alignment.training.stage import begin, finish, load_policy, load_reference, train, training_arguments
    from alignment.training.trainers import Dpo

    with begin("dpo", "preference", arguments, DpoSettings) as stage:
        if stage.run.done:
            return 0
        examples = stage.rows.train.examples
        show_trained(stage.tokenizer, examples, stage.console, stage.run.path / "trained_tokens.txt")

        # What the reference is:
        #   an adapter is continued     the frozen copy of it that TRL keeps beside it under the name `ref`
        #   a new adapter               the base: adapters switched off
        #   all weights                 the base once more, from disk
        policy, lora = load_policy(stage)
        trainer = Dpo(
            model=policy,
            ref_model=load_reference(stage),
            args=training_arguments(stage),
            train_dataset=stage.rows.train.dataset(),
            eval_dataset=stage.rows.held_out.dataset() if stage.rows.held_out.examples else None,
            processing_class=stage.tokenizer,
            peft_config=lora,
        )
        trainer.row_weights = stage.rows.train.weights
        loss = check_reference(trainer)
        stage.console.print(f"Policy equals reference on two rows; the loss starts at {loss:.4f}.")

        finish(stage, trainer, train(stage, trainer))
    return 0


if __name__ == "__main__":
    run(main)
