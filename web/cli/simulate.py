"""The command that plays a working day through the public API."""

import asyncio
import os
import signal
import sys
import threading
from typing import Annotated

import httpx
import typer

from web.cli.common import console, fail, load_settings
from web.cli.demo_tokens import demo_tokens
from web.simulation import play
from web.simulation.calls import Refusal


def stop_after_input() -> None:
    """Stop this process when nobody holds the other end of its input any more."""
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)


def simulate(
    url: Annotated[str, typer.Option(help="Address of a demo server.")] = "http://127.0.0.1:8000",
    rate: Annotated[float, typer.Option(min=0.01, help="Calls a second.")] = 5.0,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="Duration; without it until stopped.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the day; equal seeds play equal days.")] = 0,
    attended: Annotated[bool, typer.Option("--attended", hidden=True)] = False,
) -> None:
    """Simulate working days through the public API. Ctrl-C stops it."""
    if attended:  # by the server that started it
        threading.Thread(target=stop_after_input, daemon=True).start()
    signing = demo_tokens(load_settings())
    try:
        summary = asyncio.run(play(url, signing, rate=rate, seconds=seconds, seed=seed))
    except httpx.HTTPError as error:
        fail(f"{url} does not answer: {type(error).__name__}. Start it with: python -m web serve --demo")
    except Refusal as refusal:
        fail(f"{url} refused a call: {refusal}")
    console.print(f"{summary.calls.total()} calls, {len(summary.refusals)} refused unexpectedly.")
    for reason in summary.refusals[:10]:
        console.print(f"  {reason}", soft_wrap=True, markup=False, highlight=False)
    raise typer.Exit(1 if summary.refusals else 0)
