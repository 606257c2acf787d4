"""What an operator is told when the bot opens what it needs."""

from pathlib import Path

from bot.opening import left_out
from bot.settings import Settings


def test_a_persona_with_a_mistake_is_named_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "good.toml").write_text('system_prompt = "x"\ngreeting = "y"\n')
    (tmp_path / "shop.toml").write_text('system_prompt = "x"\n')
    [sentence] = left_out(Settings(personas=tmp_path))
    assert sentence.startswith(f"{tmp_path / 'shop.toml'}: greeting is missing")
    assert sentence.endswith(" The bot runs without this persona.")
