"""Follows docs/guides/register.md: writes its files, runs its commands and compares what they print."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.support.markdown import Block, read
from tests.support.patience import PATIENCE
from web.cli import app
from web.settings import ROOT

GUIDE = ROOT / "docs" / "guides" / "register.md"


def print_of(command: str) -> str:
    """What a command prints on standard output and standard error. Commands of Huhang run in this process."""
    words = shlex.split(command)
    if words[:3] == ["python", "-m", "web"]:
        return CliRunner().invoke(app, words[3:]).output
    return subprocess.run(words, capture_output=True, text=True, check=True, timeout=PATIENCE).stdout.removeprefix(
        "\ufeff"
    )


def follow(block: Block) -> None:
    """Run the commands of a session, and compare the output of each with the lines after it."""
    for step in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, _, output = step.partition("\n")
        pattern = "(?s:.*)".join(re.escape(part) for part in output.split("…\n"))
        printed = print_of(command)
        assert re.fullmatch(pattern, printed), f"{block.place}: {command}\n{printed}"


def test_the_guide_can_be_followed_step_by_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HUHANG_DATABASE_URL", f"sqlite:///{tmp_path / 'huhang.db'}")
    steps = [block for block in read(GUIDE).blocks if "test_guide.py" in block.comment]
    for block in steps:
        if block.language == "console":
            follow(block)
        else:
            [name] = block.words
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(block.text, "utf-8")
    assert sum(block.language == "console" for block in steps) == 6
