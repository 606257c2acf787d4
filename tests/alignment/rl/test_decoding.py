"""The loop that samples: what is drawn, how often, and that it continues as transformers' own loop does."""

import pytest
import torch
from peft import LoraConfig, get_peft_model
from scipy.stats import chisquare
from transformers import AutoModelForCausalLM, DynamicCache, GenerationConfig

from alignment.rl import sampling
from alignment.rl.decoding import ROOM, decode, draw, follows, new_cache
from alignment.rl.sampling import PlainCopy
from alignment.training.errors import Diverged
from tests.alignment import tiny
from tests.alignment.rl.bases import telling_bases

pytestmark = pytest.mark.tiny

NEVER = float("-inf")
ALMOST_ONE = 1 - 2.0**-53
PROMPTS = [[5, 9, 13, 17], [5, 9, 13, 17], [60, 61], [5, 9, 13], [60, 61], [70, 8, 3, 22, 41]]


@pytest.fixture(scope="module")
def copies(tmp_path_factory):
    """Copies for sampling of tiny policies, by family; gemma's layers see windows."""
    folder = tmp_path_factory.mktemp("bases")
    paths = {**telling_bases(folder), "gemma": tiny.build("gemma", folder / "gemma")}
    made = {}
    for family, path in paths.items():
        config = LoraConfig(target_modules="all-linear", r=4, fan_in_fan_out=family == "gpt2", task_type="CAUSAL_LM")
        made[family] = PlainCopy(get_peft_model(AutoModelForCausalLM.from_pretrained(path), config), torch.float32)
    return made


def settings(**changes):
    wanted = {"max_new_tokens": 12, "do_sample": True, "top_k": 0, "pad_token_id": 0, "eos_token_id": [1]}
    return GenerationConfig(**(wanted | changes))


def test_tokens_are_drawn_as_often_as_softmax_says():
    scores = torch.tensor([0.5, -1.0, NEVER, 2.0, 0.0, -3.0, NEVER, 1.0])
    count = 200_000
    uniform = torch.rand(count, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    drawn = draw(scores.expand(count, -1), uniform).bincount(minlength=len(scores))
    possible = scores > NEVER
    assert drawn[~possible].sum() == 0
    expected = scores.softmax(0)[possible].double() * count
    assert chisquare(drawn[possible].numpy(), (expected * count / expected.sum()).numpy()).pvalue > 0.01


@pytest.mark.parametrize("uniform", [0.0, 0.5, ALMOST_ONE])
@pytest.mark.parametrize("only", [0, 3, 6])
def test_a_token_of_probability_zero_is_never_drawn(uniform, only):
    for low in (NEVER, -1e4):
        scores = torch.full((1, 7), low)
        scores[0, only] = 3.7
        assert draw(scores, torch.tensor([uniform], dtype=torch.float64)).tolist() == [only]


def test_rare_tokens_at_the_end_of_a_large_vocabulary_are_not_swallowed():
    words, count = 50_000, 50
    scores = torch.zeros(1, words)
    scores[0, 0] = 18.0  # each of the others has a probability of 1.5e-8, which float32 cannot add to 1
    rare = scores.double().softmax(1)[0, 1:].sum()
    places = (torch.arange(count, dtype=torch.float64) + 0.5) / count
    drawn = draw(scores.expand(count, -1), 1 - rare + places * rare)
    torch.testing.assert_close(drawn.double(), places * (words - 1), atol=2, rtol=0)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_scores_that_are_not_finite_end_the_training_with_the_reason(bad):
    scores = torch.zeros(2, 5)
    scores[1, 2] = bad
    with pytest.raises(Diverged, match="no longer finite"):
        draw(scores, torch.zeros(2, dtype=torch.float64))
    with pytest.raises(Diverged, match="no longer finite"):
        draw(torch.full((1, 5), NEVER), torch.zeros(1, dtype=torch.float64))


@pytest.mark.parametrize("family", ["qwen", "gpt2", "gemma"])
def test_answers_continue_as_in_transformers_own_loop(family, copies):
    """With a `top_p` that leaves one token, both take the likeliest; the answers end at different tokens."""
    copy = copies[family]
    longest = max(map(len, PROMPTS))
    ids = torch.tensor([[0] * (longest - len(prompt)) + prompt for prompt in PROMPTS])
    mask = torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in PROMPTS])
    greedy = settings(do_sample=False, min_new_tokens=12)
    whole = copy.model.generate(input_ids=ids, attention_mask=mask, generation_config=greedy, use_cache=True)
    whole = whole[:, longest:].tolist()
    stops = sorted({whole[0][2], whole[2][6]})
    expected = [answer[: next((at + 1 for at, token in enumerate(answer) if token in stops), 12)] for answer in whole]
    config = settings(top_p=1e-9, eos_token_id=stops)
    assert len({len(answer) for answer in expected}) > 1
    assert copy.sample(PROMPTS, config, 0, stops) == expected


def test_an_answer_depends_on_its_own_random_numbers_alone(copies):
    copy = copies["qwen"]
    uniforms = torch.rand(3, 12, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    ids = torch.tensor([[5, 9, 13], [60, 61, 7], [70, 8, 3]])
    config = settings(eos_token_id=list(range(100)))  # some end early
    ask = {"generation_config": config, "use_cache": True, "custom_generate": decode}
    together = copy.model.generate(input_ids=ids, uniforms=uniforms, **ask)
    alone = [copy.model.generate(input_ids=ids[[at]], uniforms=uniforms[[at]], **ask)[0] for at in range(3)]
    assert together == alone
    assert len({len(answer) for answer in together}) > 1


def test_only_the_likeliest_tokens_are_drawn_where_the_settings_say_so(copies):
    copy = copies["qwen"]
    with torch.no_grad():
        odds = copy.model(torch.tensor([[5, 9, 13]])).logits[0, -1].softmax(0)
    torch.manual_seed(0)
    best = set(odds.topk(3).indices.tolist())
    drawn = copy.sample([[5, 9, 13]] * 60, settings(top_k=3, max_new_tokens=1), 0, [1])
    assert {token for answer in drawn for token in answer} == best
    wide = copy.sample([[5, 9, 13]] * 60, settings(max_new_tokens=1), 0, [1])
    assert {token for answer in wide for token in answer} > best


@pytest.mark.parametrize("more", [{"no_repeat_ngram_size": 2}, {"do_sample": False}, {"num_beams": 2}])
def test_settings_that_the_loop_does_not_know_are_left_to_transformers(more, copies, monkeypatch):
    assert follows(settings(temperature=0.7, top_p=0.9, min_p=0.1, repetition_penalty=1.1))
    assert not follows(settings(**more))
    monkeypatch.setattr(sampling, "decode", None)
    answers = copies["qwen"].sample(PROMPTS, settings(**more), 0, [1])
    assert all(0 < len(answer) <= 12 for answer in answers)


def test_a_cache_with_room_holds_what_transformers_cache_holds(copies):
    model = copies["qwen"].model
    roomy, usual = new_cache(model), DynamicCache(config=model.config)
    generator = torch.Generator().manual_seed(0)
    # Some tokens of some rows, and which rows go on.
    for rows, tokens, kept in ((3, 5, [0, 2]), (2, 1, [1, 0]), (2, 1, [0, 1]), (2, ROOM, [0]), (1, 3, [0])):
        keys, values = (torch.randn(rows, 2, tokens, 4, generator=generator) for _ in range(2))
        for one, other in zip(roomy.update(keys, values, 0), usual.update(keys, values, 0), strict=True):
            assert torch.equal(one, other)
        assert roomy.get_seq_length() == usual.get_seq_length()
        for cache in (roomy, usual):
            cache.layers[0].batch_select_indices(torch.tensor(kept))
