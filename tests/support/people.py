"""People who sign in: the application on an empty database with accounts, and browsers that keep cookies."""

import datetime as dt
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import httpx
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from models import Account, Role
from models.db.database import Database
from resolvers.accounts.audit import CONSOLE
from resolvers.accounts.records import AccountRole, Changes, NewAccount, change_account, create_account
from tests.conftest import NOW, Databases
from tests.web.conftest import SECRET, talking
from web.auth import passwords
from web.settings import Settings

ORIGIN = "https://huhang.test"
PASSWORD = "ein gutes Kennwort"
# A hash that takes no time. What is tested does not depend on the effort.
QUICK = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1),))


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.time = NOW

    def __call__(self) -> dt.datetime:
        return self.time

    def pass_time(self, **by: float) -> None:
        self.time += dt.timedelta(**by)


@dataclass
class Bureau:
    """The application with a browser, the database behind it, and the clock of both."""

    browser: httpx.AsyncClient
    database: Database
    clock: Clock

    async def add(self, name: str, role: Role = Role.COMMANDER, **more: Any) -> Account:
        """An account whose password is PASSWORD."""
        disabled = more.pop("disabled", False)
        new = NewAccount(
            name=name,
            full_name=more.pop("full_name", "张伟"),
            role=AccountRole(kind=role, inspector=more.pop("inspector", None), enterprise=more.pop("enterprise", None)),
            password_hash=QUICK.hash(PASSWORD),
            **more,
        )
        account = await create_account(self.database, new, CONSOLE, self.clock())
        if disabled:
            await change_account(self.database, account.id, Changes(disabled=True), CONSOLE, self.clock())
        return account

    def other_browser(self) -> httpx.AsyncClient:
        """Another browser without cookies. The test closes it."""
        return httpx.AsyncClient(
            transport=self.browser._transport, base_url=ORIGIN, headers={"origin": ORIGIN, "user-agent": "another"}
        )

    async def sign_in(self, name: str, password: str = PASSWORD, **more: str) -> httpx.Response:
        return await self.browser.post("/auth/sign-in", json={"name": name, "password": password, **more})


@asynccontextmanager
async def bureau_of(databases: Databases, template: str, **settings: Any) -> AsyncIterator[Bureau]:
    """`settings` as for `Settings`. Hashes of passwords are quick meanwhile."""
    url, clock = await databases.new(template), Clock()
    made = Settings(database_url=url, secret=SECRET, hosts="huhang.test", **settings)
    with patch.object(passwords, "HASHER", QUICK):
        async with talking(made, clock) as browser:
            browser.base_url = httpx.URL(ORIGIN)
            browser.headers["origin"] = ORIGIN
            database = Database(url)
            yield Bureau(browser, database, clock)
            await database.close()


def code(response: httpx.Response) -> str:
    """The code of an error."""
    answer: str = response.json()["errors"][0]["extensions"]["code"]
    return answer
