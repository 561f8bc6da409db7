"""The server's secret changes under load, process by process, and nobody is thrown out."""

import asyncio
import datetime as dt
import itertools
import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx

from models.db.database import Database
from models.visibility import Role
from tests.conftest import Databases
from tests.support.patience import PATIENCE
from tests.support.server_process import Process, serving
from tests.support.stream_clients import small_district
from tests.support.tokens import issue
from web.auth.tokens import Tokens

OLD, NEW = "the secret that is about to be replaced", "the secret that takes over from the old one"
PROCESSES, CLIENTS = 2, 4
UNLIMITED = {"HUHANG_OPERATIONS_PER_MINUTE": "0"}
WHO = {"query": "{ viewer { role name } }"}
# The settings that the guide for operators has the processes restarted with, one after the other.
BEFORE = {"HUHANG_SECRET": OLD}
STEPS = [
    {"HUHANG_SECRET": OLD, "HUHANG_OLD_SECRETS": json.dumps([NEW])},
    {"HUHANG_SECRET": NEW, "HUHANG_OLD_SECRETS": json.dumps([OLD])},
]
AFTER = {"HUHANG_SECRET": NEW}


class Fleet:
    """Several processes on one database, and what a proxy before them does."""

    def __init__(self, stack: ExitStack, scratch: Path, url: str) -> None:
        self._stack, self._scratch, self._url, self._numbers = stack, scratch, url, itertools.count()
        self.processes: list[Process] = []
        self.client = httpx.AsyncClient(timeout=PATIENCE)

    async def start(self, settings: dict[str, str]) -> Process:
        output = self._scratch / f"rotation-{next(self._numbers)}.log"
        return await asyncio.to_thread(self._stack.enter_context, serving(output, self._url, **UNLIMITED, **settings))

    async def replace_all(self, settings: dict[str, str]) -> None:
        """Replace one process after the other, as a rolling restart does."""
        for number in range(PROCESSES):
            former, self.processes[number] = self.processes[number], await self.start(settings)
            assert await asyncio.to_thread(former.end) == 0

    async def ask(self, token: str, path: str, body: Any, number: int = 0) -> httpx.Response:
        """The response of process `number`, or of the one that has taken its place meanwhile."""
        async with asyncio.timeout(PATIENCE):
            while True:
                process = self.processes[number % PROCESSES]
                try:
                    headers = {"authorization": f"Bearer {token}"}
                    answer = await self.client.post(process.address + path, json=body, headers=headers)
                except httpx.TransportError:
                    await asyncio.sleep(0.01)
                    continue
                if answer.status_code != 503:
                    return answer


class Load:
    """Clients that ask all processes in turn, each with its own token, until they are stopped."""

    def __init__(self, fleet: Fleet, tokens: list[str]) -> None:
        self._fleet, self._stopped = fleet, False
        self.answers: list[tuple[int, Any]] = []
        self._asking = [asyncio.create_task(self._ask(token)) for token in tokens]

    async def _ask(self, token: str) -> None:
        for number in itertools.count():
            if self._stopped:
                return
            answer = await self._fleet.ask(token, "/graphql", WHO, number)
            self.answers.append((answer.status_code, answer.json().get("data")))

    async def stop(self) -> None:
        self._stopped = True
        await asyncio.gather(*self._asking)


async def test_the_secret_changes_while_everybody_goes_on(
    databases: Databases, migrated_url: str, scratch: Path
) -> None:
    url, _ = await small_district(databases, migrated_url)
    database, now = Database(url), dt.datetime.now(dt.UTC)
    old = [await issue(database, Tokens(OLD), now, role=Role.COMMANDER, name="duty")]
    old += [await issue(database, Tokens(OLD), now, role=Role.WALL, name=f"wall {n}") for n in range(CLIENTS - 1)]
    await database.close()
    with ExitStack() as stack:
        fleet = Fleet(stack, scratch, url)
        fleet.processes = [await fleet.start(BEFORE) for _ in range(PROCESSES)]
        load, issued = Load(fleet, old), list[str]()
        for step in STEPS:
            replacing = asyncio.create_task(fleet.replace_all(step))
            # Meanwhile each process issues tokens, and every process accepts them.
            while not replacing.done():
                issued.append(await new_token(fleet, old[0], len(issued)))
                for number in range(PROCESSES):
                    assert (await fleet.ask(issued[-1], "/graphql", WHO, number)).status_code == 200
            await replacing
        await load.stop()
        names = {str(data["viewer"]["name"]) for status, data in load.answers if status == 200}
        assert names == {"duty", *(f"wall {n}" for n in range(CLIENTS - 1))}
        assert {status for status, _ in load.answers} == {200}

        # Without the old secret its tokens have ended, and the newer ones go on.
        await fleet.replace_all(AFTER)
        assert (await fleet.ask(old[0], "/graphql", WHO)).status_code == 401
        assert (await fleet.ask(issued[-1], "/graphql", WHO)).status_code == 200
        await fleet.client.aclose()


async def new_token(fleet: Fleet, commander: str, number: int) -> str:
    body = {"role": "WALL", "name": f"screen {number}"}
    answer = await fleet.ask(commander, "/auth/tokens", body, number)
    assert answer.status_code == 201
    token: str = answer.json()["token"]
    return token
