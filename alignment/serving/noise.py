"""How far an engine's log-probabilities may be from transformers' in float32, by how the base's weights are stored.

Mean absolute difference in nats over the 32 likeliest tokens; `python -m alignment.bases check` prints it for a base.
"""

# Right files stay below; a wrong base, template, rotary base or order of rows is at 0.5 and above. SmolLM2-135M has
# 0.12 in q8_0: llama.cpp rounds what flows between the layers to eight bits, too.
_LIMITS = {"f32": 0.02, "f16": 0.02, "bf16": 0.05, "q8_0": 0.2}
WIDEST = 0.25  # for four and five bits: above this the engine serves another base


def limit(quantisation: str) -> float:
    """The largest mean that passes for a quantisation as base.json names it; an empty name is an unknown one."""
    return _LIMITS.get(quantisation.lower(), WIDEST)
