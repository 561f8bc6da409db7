"""Starts a server of Huhang for a benchmark."""

import asyncio
import itertools
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import httpx
import psutil

from bench.speed_data import ROOT

ATTEMPTS = 600  # to reach a server that starts, a tenth of a second apart


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port: int = unused.getsockname()[1]
        return port


@asynccontextmanager
async def own_server(url: str, secret: str, **settings: str) -> AsyncIterator[tuple[str, psutil.Process]]:
    """A server on a database, as soon as it is ready: its address and its process.

    `settings` are more environment variables. It is in demo mode, whose tokens need not be issued; one viewer may send
    all of the load.
    """
    port = free_port()
    environment = {
        "HUHANG_DATABASE_URL": url,
        "HUHANG_SECRET": secret,
        "HUHANG_OPERATIONS_PER_MINUTE": "0",
        "HUHANG_LOG_LEVEL": "error",
        **settings,
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "web", "serve", "--demo", "--port", str(port)),
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        async with httpx.AsyncClient(base_url=address, trust_env=False) as client:
            for attempt in itertools.count():
                with suppress(httpx.HTTPError):
                    if (await client.get("/readyz")).json()["notifier"] == "listening":
                        break
                assert process.returncode is None
                assert attempt < ATTEMPTS
                await asyncio.sleep(0.1)
        yield address, psutil.Process(process.pid)
    finally:
        process.terminate()
        await process.wait()
