"""Replaced parts of libraries (`alignment/fast/install.py`): each test fails when the library changes there."""

import ast
import gc
import hashlib
import inspect
import sys
from pathlib import Path

import pytest
import torch
import trl.trainer.utils
from datasets import Dataset
from peft import LoraConfig, PeftModelForCausalLM, get_peft_model
from peft.tuners.lora.layer import Linear
from transformers import AutoModelForCausalLM
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from trl import DPOTrainer, GRPOTrainer, KTOConfig, KTOTrainer, RLOOTrainer, SFTTrainer
from trl.kernels import ChunkedLogProbFunction
from trl.trainer.utils import FusedCausalLMOutput, add_fused_lm_head

from alignment.fast import install, padding_free, tree_attention
from alignment.fast.head import LogProbs
from alignment.fast.trunk import SharingTrunk
from alignment.rewards.trainer import Reward
from alignment.rl.groups import Grpo, Rloo
from alignment.rl.trainer import Ppo
from alignment.training.trainers import Dpo, Kto, Sft
from tests.alignment import tiny
from tests.alignment.running import built

pytestmark = pytest.mark.tiny

ROOT = Path(__file__).parents[3]
READ_AGAIN = "the library changed here: read it again, then update alignment/fast/install.py and this hash"


def digest(function) -> str:
    """The hash of a function's source without comments, docstring and indentation."""
    source = inspect.getsource(function)
    lines = [line.split("  #")[0].strip() for line in source.splitlines()]
    (made,) = ast.parse(inspect.cleandoc(source) if source[0] != " " else "if True:\n" + source).body
    made = made.body[0] if isinstance(made, ast.If) else made
    first = made.body[0]
    if ast.get_docstring(made) is not None:
        offset = 1 if source[0] == " " else 0
        del lines[first.lineno - 1 - offset : first.end_lineno - offset]
    kept = "\n".join(line for line in lines if line and not line.startswith("#"))
    return hashlib.sha256(kept.encode()).hexdigest()[:16]


def parameters(function) -> list[str]:
    return list(inspect.signature(function).parameters)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tiny.build("llama", tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    return tiny.write(tmp_path_factory.mktemp("rows") / "rows.jsonl", tiny.preferences(6))


# 1. TRL's head


def test_trls_head_looks_up_the_two_names_that_are_replaced():
    (forward,) = [each for each in add_fused_lm_head.__code__.co_consts if inspect.iscode(each)]
    assert {"_use_triton", "_ChunkedLogProbFunction"} <= {*forward.co_names} & {*vars(trl.trainer.utils)}
    assert parameters(trl.trainer.utils._use_triton) == ["device"]
    assert trl.trainer.utils._ChunkedLogProbFunction is ChunkedLogProbFunction
    assert digest(add_fused_lm_head) == "c1b7a9c23e7ad579", READ_AGAIN
    for trainer in (SFTTrainer, DPOTrainer, KTOTrainer, GRPOTrainer, RLOOTrainer):
        assert "add_fused_lm_head" in trainer.__init__.__code__.co_names
        assert sys.modules[trainer.__module__].add_fused_lm_head is add_fused_lm_head


def test_log_probs_takes_what_trls_function_takes():
    names = ["hidden", "weight", "bias", "targets", "temperature", "chunk_size", "final_logit_softcapping"]
    assert parameters(ChunkedLogProbFunction.forward) == ["ctx", *names, "logit_scale", "outputs"]
    assert parameters(LogProbs.apply)[:4] == names[:4]


# 2 and 3. A trunk that shares prefixes, and its attention


def test_a_trunk_takes_what_sharing_gives_it(base, monkeypatch):
    """Positions, and a mask of any shape that reaches each layer's attention as the same object."""
    model = AutoModelForCausalLM.from_pretrained(base).eval()
    assert model.base_model is model.model
    assert model.base_model._supports_attention_backend
    seen, usual = [], ALL_ATTENTION_FUNCTIONS[tree_attention.NAME]

    def attend(module, query, key, value, attention_mask, **more):
        seen.append((attention_mask, sorted(more)))
        return usual(module, query, key, value, None, **more)

    monkeypatch.setitem(ALL_ATTENTION_FUNCTIONS, tree_attention.NAME, attend)
    mask = tree_attention.carrier([])
    ids = torch.tensor([[5, 6, 7]])
    found = model.base_model(input_ids=ids, position_ids=ids - 5, attention_mask=mask, use_cache=False)
    assert found.last_hidden_state.shape[:2] == ids.shape
    assert len(seen) == model.config.num_hidden_layers
    assert all(each is mask and {"dropout", "scaling"} <= {*more} for each, more in seen)


def test_transformers_attention_is_called_as_ours_is():
    wanted = ["module", "query", "key", "value", "attention_mask", "dropout"]
    assert parameters(sdpa_attention_forward)[:7] == [*wanted, "scaling"]
    assert parameters(tree_attention.attend)[:7] == ["usual", *wanted]


def test_attention_is_given_back_after_the_last_model(base):
    gc.collect()
    usual = ALL_ATTENTION_FUNCTIONS[tree_attention.NAME]
    models = [AutoModelForCausalLM.from_pretrained(base) for _ in range(2)]
    for model in models:
        install.share_prefixes(model, pytest.fail)
    ours = ALL_ATTENTION_FUNCTIONS[tree_attention.NAME]
    assert ours is not usual
    del model, models[0]
    gc.collect()
    assert ALL_ATTENTION_FUNCTIONS[tree_attention.NAME] is ours
    models.clear()
    gc.collect()
    assert ALL_ATTENTION_FUNCTIONS[tree_attention.NAME] is usual


def test_a_trunk_whose_attention_was_given_back_uses_masks(base, monkeypatch):
    model = AutoModelForCausalLM.from_pretrained(base).eval()
    install.share_prefixes(model, pytest.fail)
    ids = torch.tensor([[5, 6, 7, 8], [5, 6, 7, 9]])
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "use_cache": False}
    by_trees = model.base_model(**inputs).last_hidden_state
    monkeypatch.setitem(ALL_ATTENTION_FUNCTIONS, tree_attention.NAME, sdpa_attention_forward)
    assert torch.allclose(model.base_model(**inputs).last_hidden_state, by_trees, atol=1e-5)


# 4. PEFT's layers


def test_pefts_layer_computes_what_was_read():
    assert digest(Linear.forward) == "ec404e86ef06c523", READ_AGAIN
    config = LoraConfig(r=2, target_modules=["0"])
    layer = get_peft_model(torch.nn.Sequential(torch.nn.Linear(3, 3)), config).base_model.model[0]
    assert type(layer) is Linear
    assert (layer.merged, layer.disable_adapters, layer.active_adapters) == (False, False, ["default"])
    assert [*layer.lora_A] == [*layer.lora_B] == [*layer.lora_dropout] == [*layer.scaling] == ["default"]
    assert layer.lora_variant == {}


# 5. Rows end to end


def test_trls_head_takes_rows_end_to_end():
    (forward,) = [each for each in add_fused_lm_head.__code__.co_consts if inspect.iscode(each)]
    assert "shift_labels" in forward.co_varnames
    assert {*padding_free._PER_TOKEN} <= {*inspect.signature(FusedCausalLMOutput).parameters}
    assert "padding_free" not in parameters(KTOConfig)  # otherwise TRL's own could be used


# 6. A PEFT model's class


class Greeting:
    def greet(self):
        return "hello"


def test_a_peft_models_class_can_be_extended(base):
    plain, model = (
        get_peft_model(AutoModelForCausalLM.from_pretrained(base), LoraConfig(task_type="CAUSAL_LM")) for _ in "ab"
    )
    before = {name: id(parameter) for name, parameter in model.named_parameters()}
    install.mix_in(model, Greeting)
    assert isinstance(model, PeftModelForCausalLM)
    assert model.greet() == "hello"
    assert {name: id(parameter) for name, parameter in model.named_parameters()} == before
    assert type(plain) is PeftModelForCausalLM


# 7. The reference's pass


def test_trl_asks_a_dataset_where_to_keep_the_reference(tmp_path):
    assert parameters(Dataset._get_cache_file_path) == ["self", "fingerprint"]
    assert "dataset._get_cache_file_path(fingerprint)" in inspect.getsource(DPOTrainer._precompute_ref_logps)
    one, other = Dataset.from_list([{"a": 1}]), Dataset.from_list([{"a": 1}])
    usual = other._get_cache_file_path("x")
    install.keep_reference_pass(one, tmp_path, "train")
    assert one._get_cache_file_path("x") == str(tmp_path / "reference-train-x.arrow")
    assert other._get_cache_file_path("x") != usual  # in a new folder, which is why it is replaced


# All of it together


def test_two_trainers_one_with_sharing_and_one_without_each_compute_their_own_way(base, pairs, tmp_path, monkeypatch):
    asked = []
    usual, together = LogProbs.apply, SharingTrunk.together
    monkeypatch.setattr(LogProbs, "apply", lambda *args: asked.append("head") or usual(*args))
    monkeypatch.setattr(SharingTrunk, "together", lambda *args: asked.append("trunk") or together(*args))
    flags = {"eval_fraction": 0, "precompute_ref_log_probs": "false"}
    on, off, again = (
        built("dpo", base, pairs, tmp_path / str(number), share_prefixes=share, **flags)[0]
        for number, share in enumerate(("true", "false", "true"))
    )
    batch = on.data_collator([on.train_dataset[number] for number in range(4)])
    losses, ways = [], []
    for trainer in (on, off, again, off):
        asked.clear()
        losses.append(trainer.compute_loss(trainer.model, batch).item())
        ways.append({*asked})
    assert ways == [{"head", "trunk"}, set(), {"head", "trunk"}, set()]
    assert losses == pytest.approx([0.6931] * 4, abs=1e-4)
    # TRL itself is unchanged.
    assert trl.trainer.dpo_trainer.add_fused_lm_head is add_fused_lm_head
    assert trl.trainer.utils._ChunkedLogProbFunction is ChunkedLogProbFunction
    assert not trl.trainer.utils._use_triton(torch.device("cpu"))


def test_a_trainer_that_cannot_be_made_leaves_trl_as_it_was():
    with pytest.raises(ZeroDivisionError), install.heads(Dpo, sharing=True):
        1 / (trl.trainer.dpo_trainer.add_fused_lm_head is add_fused_lm_head)
    assert trl.trainer.dpo_trainer.add_fused_lm_head is add_fused_lm_head


# These are what our trainers define besides what they override.
OWN = {
    *("_install", "_installed", "_models", "_tell", "_staging", "_save_more", "_prompts"),
    *("_roll_out", "_sample", "_steps", "_mine", "_score", "_hold_to_limit", "_forward"),
    *("_plain", "_evaluating", "_sample_on_cpu", "_as_generated", "_policy_alone"),
}


@pytest.mark.parametrize("trainer", [Sft, Dpo, Kto, Reward, Ppo, Grpo, Rloo])
def test_private_methods_that_a_trainer_overrides_are_still_the_librarys(trainer):
    ours = [each for each in trainer.__mro__ if each.__module__.startswith("alignment.")]
    theirs = {name for each in trainer.__mro__ if each not in ours for name in vars(each)}
    names = {name for each in ours for name in vars(each) if name.startswith("_") and not name.startswith("__")}
    assert names - OWN <= theirs
    assert not OWN & theirs


# Nothing else


# Replacements that may stand elsewhere, by what is assigned to.
ALLOWED = {
    "settings.fp32_precision",  # a documented setting of torch, for one product, then restored
    # discord.py, which has no settings for these; the bot must not import alignment.
    *("Route.BASE", "DiscordWebSocket.DEFAULT_GATEWAY", "shard.reconnect"),
    # llama.cpp's converter, which is pinned by its hash and runs alone in a process of its own.
    *("conversion.ModelBase.load_hparams", "conversion.TextModel.get_vocab_base_pre"),
}


_OURS = {"alignment", "bot", "data", *sys.stdlib_module_names}  # the standard library's hooks are for all
_AT_HOME = {"self", "cls", "", *sys.stdlib_module_names}


def replaced(tree: ast.Module) -> list[tuple[int, str]]:
    """Where a file seems to replace parts of a library: the line, and the left side."""
    libraries: set[str] = set()
    nodes = list(ast.walk(tree))
    for node in nodes:
        if isinstance(node, ast.Import):
            found = {alias.asname or alias.name.partition(".")[0]: alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found = {alias.asname or alias.name: node.module or "" for alias in node.names}
        else:
            continue
        libraries |= {name for name, module in found.items() if module.partition(".")[0] not in _OURS}
    functions = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}

    def root(node: ast.expr) -> str:
        while isinstance(node, ast.Attribute | ast.Subscript):
            node = node.value
        return node.id if isinstance(node, ast.Name) else ""

    def is_function(value: ast.expr | None) -> bool:
        if isinstance(value, ast.Call):
            return getattr(value.func, "id", getattr(value.func, "attr", "")) in ("MethodType", "FunctionType")
        return isinstance(value, ast.Lambda) or (isinstance(value, ast.Name) and value.id in functions)

    hits = []
    for node in nodes:
        targets = node.targets if isinstance(node, ast.Assign | ast.Delete) else [getattr(node, "target", None)]
        value = getattr(node, "value", None)
        named = isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(value, ast.Attribute)
        if named and root(value) in libraries:  # another name for a part of a library
            libraries |= {target.id for target in targets if isinstance(target, ast.Name)}
    for node in nodes:
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("setattr", "delattr"):
            name = getattr(node.args[1], "value", None)
            if root(node.args[0]) in libraries or name in ("forward", "__class__"):
                hits.append((node.lineno, ast.unparse(node)))
        registers = isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "register"
        if registers and root(node.func) in libraries:
            hits.append((node.lineno, ast.unparse(node)))
        if not isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign | ast.Delete):
            continue
        targets = node.targets if isinstance(node, ast.Assign | ast.Delete) else [node.target]
        for target in targets:
            at_home = root(target) in _AT_HOME
            attribute = isinstance(target, ast.Attribute)
            table = isinstance(target, ast.Subscript)
            if (
                ((attribute or table) and root(target) in libraries)
                or (attribute and target.attr in ("forward", "__class__") and not at_home)
                or (attribute and not at_home and is_function(getattr(node, "value", None)))
            ):
                hits.append((node.lineno, ast.unparse(target)))
    return hits


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("import trl.trainer.utils\ntrl.trainer.utils._use_triton = 1", 1),
        ("from torch import nn\nnn.Linear.forward = f", 1),
        ("from x import TABLE\nTABLE['sdpa'] = f", 1),
        ("from x import TABLE\ndel TABLE['sdpa']", 1),
        ("import torch\nmatmul = torch.backends.matmul\nmatmul.precision = 1", 1),
        ("from x import Table\nTable.register('sdpa', f)", 1),
        ("import torch\nsetattr(torch.nn, name, 1)", 1),
        ("setattr(model, 'forward', 1)", 1),
        ("model.forward = other", 1),
        ("policy.__class__ = kind", 1),
        ("dataset._get = lambda x: x", 1),
        ("def f(): ...\nmodel.score = f", 1),
        ("layer.call = MethodType(f, layer)", 1),
        ("import os\nos.environ['A'] = '1'", 0),
        ("self.forward = lambda: 1", 0),
        ("model.config.name = name", 0),
        ("from data.home import x\nx.y = 1", 0),
        ("setattr(outputs, name, padded)", 0),
    ],
)
def test_a_replacement_is_seen(source, count):
    assert len(replaced(ast.parse(source))) == count


def test_nothing_else_in_parley_replaces_parts_of_a_library():
    files = [
        ROOT / "parley.py",
        *(path for room in ("alignment", "bot", "data") for path in (ROOT / room).rglob("*.py")),
    ]
    found = {
        target: f"{path.relative_to(ROOT)}, line {line}"
        for path in files
        if path != ROOT / "alignment" / "fast" / "install.py"
        for line, target in replaced(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert {target: place for target, place in found.items() if target not in ALLOWED} == {}
    assert found.keys() == ALLOWED  # an exception that is gone must leave the list


def test_the_page_names_tests_that_exist_and_versions_that_are_installed():
    from importlib.metadata import version

    page = (ROOT / "alignment" / "fast" / "install.py").read_text(encoding="utf-8")
    here = Path(__file__).read_text(encoding="utf-8") + Path(__file__).with_name("test_memory.py").read_text()
    named = {word.strip(",;.`") for word in page.split() if word.startswith("test_") and not word.endswith(".py`).")}
    named = {name for name in named if "." not in name}
    assert len(named) >= 10
    assert [name for name in named if f"def {name}(" not in here] == []
    for library in ("trl", "transformers", "peft", "datasets"):
        assert f"{version(library)} " in page or f"{version(library)}:" in page, f"{library}: {READ_AGAIN}"
