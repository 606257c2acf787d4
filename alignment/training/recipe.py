"""Recipes and flags: the settings of a training command, with every name checked.

A recipe is a YAML file with the names of TRL's configuration (the stage's own, such as `DPOConfig`, and
`ModelConfig`) and the few of Parley's. Flags have the same names and win. TRL's own scripts ignore a misspelt key;
here it is an error with the nearest known name.
"""

import dataclasses
import re
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import yaml

from alignment.training.checks import check_settings
from alignment.training.flags import as_flag, flag_names, once
from data.chosen_base import home_base
from data.errors import BadInput, nearest
from data.home import home

RECIPES = Path(__file__).parents[1] / "recipes"

# Layers that adapters leave alone: embeddings and the output head.
NOT_ADAPTED = re.compile(r"lm_head|embed|wte|wpe")

# Names that TRL knows and that would do nothing, or harm, here. They are refused, not ignored.
_ROWS = "Parley renders and masks the rows itself: only the assistant's turns and their ends are trained"
_LINEAR = "adapters are on linear layers only, so that they apply to the base as it is and can be served"
REFUSED: dict[str, str] = {
    "assistant_only_loss": _ROWS,
    "completion_only_loss": _ROWS,
    "chat_template_path": "a base's template is part of the base; trainer and engine must use the same",
    "dataset_text_field": _ROWS,
    "dataset_kwargs": _ROWS,
    "eos_token": _ROWS,
    "gradient_checkpointing": "it is called activation_checkpointing now",
    "group_by_length": "rows of like length always share a batch here",
    "train_sampling_strategy": "rows of like length share a batch here, in an order that a resumed run repeats",
    "lora_modules_to_save": _LINEAR,
    "lora_target_parameters": _LINEAR,
    "use_dora": "its magnitudes are more than an adapter on linear layers, so it could not be served",
    "shuffle_dataset": "rows are always shuffled, in an order that a resumed run repeats",
    "logging_nan_inf_filter": "a loss that is not a finite number is shown as it is, and ends the stage",
    "overwrite_output_dir": "the same command resumes its run, and another run needs another --output_dir",
    "push_to_hub": "Parley sends nothing anywhere; `python -m alignment.export` makes files to share",
    "resume_from_checkpoint": "the same command resumes by itself from the last complete checkpoint",
    "trust_remote_code": "code from a model's folder is never run",
}
# Names of other trainers, and older ones of these, with what they are called here.
RENAMED: dict[str, str] = {
    "adapter_name_or_path": "model_name_or_path",
    "batch_size": "per_device_train_batch_size",
    "cutoff_len": "max_length",
    "dataset": "dataset_name",
    "epochs": "num_train_epochs",
    "eval_batch_size": "per_device_eval_batch_size",
    "evaluation_strategy": "eval_strategy",
    "load_in_4_bit": "load_in_4bit",
    "lora_rank": "lora_r",
    "lora_target": "lora_target_modules",
    "lr": "learning_rate",
    "max_prompt_length": "max_length",
    "max_seq_length": "max_length",
    "model": "model_name_or_path",
    "model_name": "model_name_or_path",
    "no_cuda": "use_cpu",
    "output": "output_dir",
    "per_gpu_eval_batch_size": "per_device_eval_batch_size",
    "per_gpu_train_batch_size": "per_device_train_batch_size",
    "response_length": "max_completion_length",
    "target_modules": "lora_target_modules",
    "torch_dtype": "dtype",
    "train_batch_size": "per_device_train_batch_size",
    "train_file": "dataset_name",
    "validation_file": "eval_dataset_name",
    "warmup_ratio": "warmup_steps",
}


@dataclass
class ParleyArguments:
    """The few settings for which TRL has no name."""

    dataset_name: list[str] | None = field(
        default=None, metadata={"help": "The rows to train on: files or data sets, each PATH or PATH=WEIGHT."}
    )
    eval_dataset_name: str | None = field(
        default=None, metadata={"help": "Held-out rows. Without them a part of dataset_name is held out."}
    )
    eval_fraction: float = field(default=0.1, metadata={"help": "The share of dataset_name to hold out."})
    max_dropped: float = field(default=0.1, metadata={"help": "The share of rows that may be unusable."})
    allow_download: bool = field(
        default=False, metadata={"help": "Fetch a base or a data set by its Hugging Face id."}
    )


@dataclass(frozen=True)
class Recipe:
    """A stage's settings: `training` is TRL's configuration of the stage, `model` TRL's `ModelConfig`.

    `given` holds the settings from recipe and flags, for the manifest and to tell two runs apart.
    """

    stage: str
    parley: ParleyArguments
    training: Any
    model: Any
    given: dict[str, Any]

    @property
    def output_dir(self) -> Path:
        """The run folder."""
        return Path(self.given["output_dir"])


def wants_help(arguments: Iterable[str]) -> bool:
    """Whether the arguments ask for help."""
    return any(argument in ("-h", "--help") for argument in arguments)


def wants_search(arguments: Iterable[str]) -> bool:
    """Whether the arguments ask for a search over settings."""
    return any(argument == "--search" or argument.startswith("--search=") for argument in arguments)


def help_text(stage: str) -> str:
    """The help of a stage's command, made of the comments of its recipe, so that the two always agree."""
    path = RECIPES / f"{stage}.yaml"
    lines = [
        f"usage: python -m alignment.{stage} [--config RECIPE.yaml] --dataset_name ROWS.jsonl --output_dir FOLDER"
    ]
    lines += [
        "       [--NAME VALUE ...]  every name below, and every other name of TRL's configuration; flags win",
        "",
    ]
    comment: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        setting = re.match(r"(?:# )?(\w+):(?: (.*))?$", line)
        if line == "search:":
            lines += ["  --search N, --search_metric NAME (not set)", *(f"      {text}" for text in comment)]
            comment = []
        elif setting:
            value = (setting[2] or "").strip()
            lines += [f"  --{setting[1]} ({'not set, e.g. ' if line.startswith('#') else ''}{value})"]
            lines += [f"      {text}" for text in comment]
            comment = []
        elif re.match(r"  \w+: ", line):
            lines.append(f"        {line.strip()}")
        elif line.startswith("#"):
            comment.append(line.removeprefix("#").strip())
        elif comment:
            lines += [*comment, ""]
            comment = []
    return "\n".join(lines)


def read(stage: str, arguments: Sequence[str], config_class: Any, machine_defaults: dict[str, Any]) -> Recipe:
    """Read recipe and flags for a stage whose TRL configuration is `config_class`.

    `machine_defaults` are this machine's values for names that neither sets. Without `model_name_or_path` it is the
    home's base. Raises `BadInput` for unknown or
    refused names, values of a wrong type, and what TRL itself refuses.
    """
    # These are imported here because help and the checks of names need neither.
    from transformers import HfArgumentParser
    from trl import ModelConfig

    class Parser(HfArgumentParser):  # type: ignore[misc]  # transformers has no types
        def error(self, message: str) -> NoReturn:
            raise BadInput(f"Bad setting: {message}.")

    parser = Parser(
        (ParleyArguments, config_class, ModelConfig), prog=f"alignment.{stage}", allow_abbrev=False, add_help=False
    )
    known = {action.dest for action in parser._actions}
    # Only a switch that is on by default has a `--no_...` of its own.
    flags_known = {option.lstrip("-").replace("-", "_") for option in parser._option_string_actions}
    config, flags = split(list(arguments), stage)
    flags = once(flags, {action.dest for action in parser._actions if action.nargs in ("+", "*")})
    settings = load(config)
    searched = settings.pop("search", None)  # for `--search`, which checks its values
    for name in searched if isinstance(searched, dict) else ():
        _check_name(str(name), known, f"{config}: unknown name {name!r} under search")
    named = flag_names(flags)
    for name in settings:
        _check_name(name, known, f"{config}: unknown key {name!r}")
    for name in named:
        _check_name(name, flags_known, f"Unknown flag --{name}")
    nothing = {name: None for name, value in settings.items() if value is None}
    flags = joined(flags, {action.dest for action in parser._actions if action.nargs in ("+", "*")})
    parser.set_defaults(**{"use_peft": True, "report_to": "none", **machine_defaults, **nothing})
    # The recipe's flags come before the user's, so that one parser checks the types of both, and the last one wins.
    recipe_flags = [token for name, value in settings.items() if value is not None for token in as_flag(name, value)]
    words = [*recipe_flags, *flags]
    values, rest = parser.parse_known_args(words)
    if rest:
        raise BadInput(f"Unexpected argument {rest[0]!r}; settings are given as --NAME VALUE.")
    if values.fp16 and "bf16" not in {*settings, *named}:  # the machine's default may be bf16; it excludes fp16
        values.bf16 = False
        parser.set_defaults(bf16=False)
    check_settings(stage, vars(values))
    try:
        parts = parser.parse_args_into_dataclasses(words, look_for_args_file=False)
    # TRL and transformers raise errors of every type while they read settings.
    except Exception as error:
        raise BadInput(f"These settings do not go together: {' '.join(str(error).split())}") from error
    given = {
        name: getattr(part, name)
        for name in sorted({*settings, *(name.removeprefix("no_") for name in named)})
        for part in parts
        if any(name == known_field.name for known_field in dataclasses.fields(part))
    }
    parley, training, model = parts
    if not model.model_name_or_path:
        # Read here, not in the recipe: one recipe serves every home. Noted, so that the run's manifest says what ran.
        model.model_name_or_path = given["model_name_or_path"] = home_base(home())
    recipe = Recipe(stage, parley, training, model, given)
    _check(recipe)
    return recipe


def _check(recipe: Recipe) -> None:
    for name in ("dataset_name", "output_dir"):
        if not recipe.given.get(name) and not (name == "dataset_name" and recipe.given.get("prompts")):
            raise BadInput(f"Name {'the rows to train on' if name == 'dataset_name' else 'a run folder'}: --{name}.")
    targets = recipe.model.lora_target_modules or []
    for target in [targets] if isinstance(targets, str) else targets:
        if NOT_ADAPTED.search(target):
            raise BadInput(f"lora_target_modules: {target} cannot be adapted: {_LINEAR}.")


def _check_name(name: str, known: Iterable[str], complaint: str) -> None:
    if name in REFUSED:
        raise BadInput(f"{name} cannot be set: {REFUSED[name]}.")
    if name not in known:
        hint = RENAMED.get(name, "")
        raise BadInput(f"{complaint}.{f' Did you mean {hint!r}?' if hint in known else nearest(name, known)}")


def joined(flags: Sequence[str], lists: Container[str]) -> list[str]:
    """The words of a command line, where a flag of `lists` that is given twice has the values of both."""
    words: list[str] = []
    values: dict[str, list[str]] = {}
    into = words
    for word in flags:
        match = re.match(r"--([A-Za-z][\w-]*)(=.*)?$", word, re.DOTALL)
        name = match[1].replace("-", "_") if match else ""
        if match and name in lists:
            into = values.setdefault(name, [])
            into += [match[2][1:]] if match[2] else []
        elif match:
            into = words
            words.append(word)
        else:
            into.append(word)
    return [*words, *(word for name, given in values.items() for word in (f"--{name}", *given))]


def split(arguments: list[str], stage: str) -> tuple[Path, list[str]]:
    """The recipe that a command line names (else the stage's own), and its other words."""
    config = RECIPES / f"{stage}.yaml"
    flags: list[str] = []
    waiting = iter(arguments)
    for argument in waiting:
        if argument == "--config":
            value = next(waiting, None)
            if value is None:
                raise BadInput("--config needs a recipe file after it.")
            config = Path(value)
        elif argument.startswith("--config="):
            config = Path(argument.removeprefix("--config="))
        else:
            flags.append(argument)
    return config, flags


# The loader in C reads a recipe in half a millisecond, the one in Python in eight; not every build of PyYAML has it.
_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _OnceLoader(_SafeLoader):  # type: ignore[misc]  # a class that is chosen is Any
    """YAML's safe loader, which by itself takes the last of two values of one key."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """A mapping. Raises `BadInput` for a key that is given twice."""
        seen: dict[Any, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            line = key.start_mark.line + 1
            if key.value in seen and key.value != "<<":
                raise BadInput(f"{key.value} is given twice, in lines {seen[key.value]} and {line}. Give it once.")
            seen[key.value] = line
        made: dict[Any, Any] = super().construct_mapping(node, deep)
        return made


def load(path: Path) -> dict[str, Any]:
    """The settings in a recipe file. Raises `BadInput` when it is not one."""
    try:
        settings = yaml.load(path.read_text(encoding="utf-8"), _OnceLoader)  # noqa: S506 - it is a safe loader
    except (FileNotFoundError, IsADirectoryError):
        raise BadInput(f"There is no recipe {path}; the shipped ones are in alignment/recipes.") from None
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} is not a YAML file: {' '.join(str(error).split())}.") from None
    if not isinstance(settings, dict):
        raise BadInput(f"{path}: expected lines of `name: value`.")
    return {str(name): value for name, value in settings.items()}
