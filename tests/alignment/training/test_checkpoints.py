"""A checkpoint is whole, or the one before it is taken."""

from pathlib import Path

import pytest

from alignment.training.checkpoints import LIST, numbered, problem, seal, set_aside_damaged, step_of

FILES = ("optimizer.pt", "scheduler.pt", "trainer_state.json", "adapter_model.safetensors", "critic/ppo.json")


def checkpoint(folder: Path, step: int) -> Path:
    made = folder / f"checkpoint-{step}"
    for name in FILES:
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_bytes(bytes(range(100)))
    seal(made)
    return made


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:10])


def overwrite(path: Path) -> None:
    path.write_bytes(b"x" + path.read_bytes()[1:])


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    ("damage", "sentence"), [(Path.unlink, "is missing"), (cut, "is cut off"), (overwrite, "is damaged")]
)
def test_damage_to_any_file_is_seen(tmp_path, name, damage, sentence):
    made = checkpoint(tmp_path, 4)
    assert problem(made) is None
    damage(made / name)
    assert problem(made) == f"{name} {sentence}"


def test_the_newest_whole_checkpoint_is_taken_and_damaged_ones_are_named(tmp_path):
    made = {step: checkpoint(tmp_path, step) for step in (2, 4, 10)}
    (tmp_path / ".incomplete").mkdir()
    assert [step_of(each) for each in numbered(tmp_path)] == [10, 4, 2]
    assert set_aside_damaged(tmp_path) == []
    (made[10] / "optimizer.pt").unlink()
    cut(made[4] / LIST)
    assert set_aside_damaged(tmp_path) == [
        "checkpoint-10 is damaged (optimizer.pt is missing): going back to checkpoint-4.",
        "checkpoint-4 is damaged (files.json is damaged): going back to checkpoint-2.",
    ]
    assert numbered(tmp_path) == [made[2]]
    (made[2] / "scheduler.pt").unlink()
    assert "going back to the beginning" in set_aside_damaged(tmp_path)[0]
    assert numbered(tmp_path) == []


def test_a_checkpoint_of_a_parley_without_lists_is_taken_if_its_parts_are_there(tmp_path):
    made = checkpoint(tmp_path, 4)
    (made / LIST).unlink()
    (made / "critic" / "ppo.json").unlink()
    (made / "critic").rmdir()
    assert problem(made) is None
    (made / "optimizer.pt").unlink()
    assert problem(made) == "optimizer.pt is missing"
