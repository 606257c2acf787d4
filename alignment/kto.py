"""Kahneman-Tversky optimization: the model learns from thumbs up and down that have no pair.

    python -m alignment.kto --config alignment/recipes/kto.yaml --model_name_or_path out/adapter \\
                            --dataset_name rows.jsonl --output_dir out-kto

Ethayarajh et al., "KTO: Model Alignment as Prospect Theoretic Optimization", 2024. The model may not drift from its
reference: the adapter that is continued as it was (a frozen copy), else the base itself.
"""

import sys
from collections.abc import Sequence
from typing import Any

from alignment.training.recipe import help_text, wants_help, wants_search
from data.errors import run

# Equation 8 of the paper: what the ups weigh together may be 1 to 4/3 of what the downs weigh together.
FAIR = (1.0, 4 / 3)


def balanced(
    up: float, down: float, desirable: float | None = None, undesirable: float | None = None
) -> tuple[float, float]:
    """The weights of ups and downs in the loss, so that both weigh the same together; what is given is kept.

    `up` and `down` are how much there is of each, above 0. With neither given the mean weight of a row is 1.
    """
    if desirable is None and undesirable is None:
        return (up + down) / (2 * up), (up + down) / (2 * down)
    if desirable is None:
        assert undesirable is not None
        return undesirable * down / up, undesirable
    return desirable, desirable * up / down if undesirable is None else undesirable


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage; the result is `adapter/` (or `model/`) in the run folder, and applies to the base itself."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if wants_help(arguments):
        print(help_text("kto"))
        return 0
    if wants_search(arguments):
        from alignment.search.trials import search

        return search("kto", main, arguments)

    from alignment.training.preflight import check_reference, show_trained
    from alignment.training.settings import KtoSettings
    from alignment.training.stage import begin, finish, load_policy, load_reference, train, training_arguments
    from alignment.training.trainers import Kto

    with begin("kto", "labelled", arguments, KtoSettings) as stage:
        if stage.run.done:
            return 0
        examples = stage.rows.train.examples
        show_trained(stage.tokenizer, examples, stage.console, stage.run.path / "trained_tokens.txt")

        settings = training_arguments(stage)
        _balance(stage, settings)

        # The reference is chosen as in DPO.
        policy, lora = load_policy(stage)
        trainer = Kto(
            model=policy,
            ref_model=load_reference(stage),
            args=settings,
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


def _balance(stage: Any, settings: Any) -> None:
    votes = list(zip(stage.rows.train.examples, stage.rows.train.weights, strict=True))
    ups, downs = ([weight for vote, weight in votes if vote.columns["label"] is side] for side in (True, False))
    given = stage.recipe.given
    desirable, undesirable = balanced(
        sum(ups), sum(downs), given.get("desirable_weight"), given.get("undesirable_weight")
    )
    settings.desirable_weight, settings.undesirable_weight = desirable, undesirable
    stage.run.note(desirable_weight=desirable, undesirable_weight=undesirable)
    ratio = desirable * sum(ups) / (undesirable * sum(downs))
    stage.console.print(
        f"{len(ups)} thumbs up count {desirable:.3g} each, {len(downs)} down {undesirable:.3g}"
        + ("." if FAIR[0] - 0.01 <= ratio <= FAIR[1] + 0.01 else f": {ratio:.2g} to 1, where 1 to 1.33 is advised.")
    )


if __name__ == "__main__":
    run(main)
