"""Python processes that all go on at the same moment."""

import asyncio
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def start_waiting(source: str, *arguments: str) -> "subprocess.Popen[str]":
    """Start a Python process that waits for a line on its standard input."""
    return subprocess.Popen(
        [sys.executable, "-c", source, *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


async def run_together(running: "list[subprocess.Popen[str]]") -> None:
    """Release all processes at the same moment. Every one must exit with 0."""
    outputs = await asyncio.gather(*(asyncio.to_thread(process.communicate, "go\n", 60) for process in running))
    assert [(p.returncode, out) for p, (out, _) in zip(running, outputs, strict=True) if p.returncode != 0] == []
