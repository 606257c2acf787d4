"""How far an engine's log-probabilities may be from transformers' in float32, by how the base's weights are stored.

Mean absolute difference in nats over the 32 likeliest tokens. Where weights are stored in eight bits or fewer,
llama.cpp rounds what they are multiplied with to eight bits as well, and that is most of the noise. Measured with
`alignment.conversion.admission` on 8 passages x 6 positions (means; tiny random bases as in tests/fakes, and a real one):

                 f32      q8_0                      f32      q8_0
    llama        0.0003   0.0038      smollm3       0.0004   0.0043
    mistral      0.0003   0.0038      olmo2         0.0006   0.0057
    qwen2        0.0004   0.0037      phi3          0.0003   0.0041
    qwen3        0.0004   0.0048      gpt2          0.0001   0.0023
    gemma3_text  0.0005   0.0084      gpt_neox      0.0002   0.0026

    SmolLM2-135M: f16 0.0052, q8_0 0.1195, q4_1 as bundled 0.098
"""

# Right bases stay well below. Wrong ones are far above: other weights, another template or another rotary base.
_LIMITS = {"f32": 0.02, "f16": 0.02, "bf16": 0.05}
WIDEST = 0.25  # for eight bits and fewer; above this the engine serves another base


def limit(quantisation: str) -> float:
    """The largest mean that passes for a quantisation as base.json names it; an empty name is an unknown one."""
    return _LIMITS.get(quantisation.lower(), WIDEST)
