"""How far an engine's log-probabilities may be from transformers' in float32, by how the base's weights are stored.

Mean absolute difference in nats over the 32 likeliest tokens. Where weights are stored in eight bits or fewer,
llama.cpp rounds what they are multiplied with to eight bits as well, and that is most of the noise.
"""

# Right bases stay well below. Wrong ones are far above: other weights, another template or another rotary base.
_LIMITS = {"f32": 0.02, "f16": 0.02, "bf16": 0.05}
WIDEST = 0.25  # for eight bits and fewer; above this the engine serves another base


def limit(quantisation: str) -> float:
    """The largest mean that passes for a quantisation as base.json names it; an empty name is an unknown one."""
    return _LIMITS.get(quantisation.lower(), WIDEST)
