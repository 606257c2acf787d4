"""Sets the weights of thumbs up and down in KTO, so that neither side outweighs the other."""

from alignment.training.stage import Stage

# Equation 8 of the paper (Ethayarajh et al., 2024): all ups together may weigh 1 to 4/3 of all downs together.
FAIR = (1.0, 4 / 3)


def balance(stage: Stage) -> None:
    """Set the two weights of KTO's loss unless the recipe or flags set them, and print them."""
    votes = list(zip(stage.rows.train.examples, stage.rows.train.weights, strict=True))
    ups, downs = ([weight for vote, weight in votes if vote.columns["label"] is side] for side in (True, False))
    given = stage.recipe.given
    desirable, undesirable = balanced(
        sum(ups), sum(downs), given.get("desirable_weight"), given.get("undesirable_weight")
    )
    settings = stage.recipe.training
    settings.desirable_weight, settings.undesirable_weight = desirable, undesirable
    stage.run.note(desirable_weight=desirable, undesirable_weight=undesirable)
    ratio = desirable * sum(ups) / (undesirable * sum(downs))
    stage.console.print(
        f"{len(ups)} thumbs up count {desirable:.3g} each, {len(downs)} down {undesirable:.3g}"
        + ("." if FAIR[0] - 0.01 <= ratio <= FAIR[1] + 0.01 else f": {ratio:.2g} to 1, where 1 to 1.33 is advised.")
    )


def balanced(
    up: float, down: float, desirable: float | None = None, undesirable: float | None = None
) -> tuple[float, float]:
    """The weights of ups and downs in the loss, so that both weigh the same together; given weights are kept.

    `up` and `down` are how much there is of each, above 0. With neither weight given the mean weight of a row is 1.
    """
    if desirable is None and undesirable is None:
        return (up + down) / (2 * up), (up + down) / (2 * down)
    if desirable is None:
        assert undesirable is not None
        return undesirable * down / up, undesirable
    return desirable, desirable * up / down if undesirable is None else undesirable
