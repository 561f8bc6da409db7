"""A bureau of its own for the desk's tests: a server, its commanders, and the desk as one of them opens it."""

import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.async_api import Browser, Locator, Page

from tests.support.patience import PATIENCE
from tests.support.server_process import Process, environment, serving, web
from tests.support.watched_page import watched_page

NAME, PASSWORD = "gu.changgeng", "correct horse battery"
COLLEAGUE = "zhou.yan"
PEOPLE = {NAME: "顾长庚", COLLEAGUE: "周砚"}
SECRET = {"HUHANG_SECRET": "a secret of the tests, of no use elsewhere"}
# Messages of the browser about a server that the test has stopped, and about rendering without a GPU.
EXPECTED = ("WebSocket connection to", "Failed to load resource", "Canvas2D")
ENTERPRISES = """{ enterprises(first: 50) { nodes { id name location { longitude latitude }
  calls: assistanceRequests(first: 0, filter: { statuses: [OPEN] }) { totalCount }
  visits: inspections(first: 0, filter: { statuses: [DISPATCHED, ACKNOWLEDGED, EN_ROUTE, ON_SITE] }) { totalCount }
  sent: dispatches(first: 0, filter: { statuses: [ASSIGNED, ACKNOWLEDGED, EN_ROUTE, ON_SCENE] }) { totalCount } } }
  inspectors(first: 50, filter: { available: true }) { nodes { id fullName visits: inspections(first: 0, filter: {
  statuses: [DISPATCHED, ACKNOWLEDGED, EN_ROUTE, ON_SITE] }) { totalCount } } } }"""
ACT = "mutation($input: {0}Input!) {{ result: {1}(input: $input) {{ __typename ... on Problem {{ message }} }} }}"


@dataclass
class Bureau:
    """A server with a commander's account, and its graph as a commander asks it."""

    process: Process
    token: str

    def graph(self, query: str, **variables: Any) -> Any:
        response = httpx.post(
            f"{self.process.address}/graphql",
            json={"query": query, "variables": variables},
            headers={"authorization": f"Bearer {self.token}"},
            trust_env=False,
            timeout=PATIENCE,
        )
        answer = response.json()
        assert "errors" not in answer, answer
        return answer["data"]

    def act(self, mutation: str, **given: Any) -> None:
        document = ACT.format(mutation[0].upper() + mutation[1:], mutation)
        result = self.graph(document, input=given)["result"]
        assert "message" not in result, result

    def call_for_help(self, *problems: str) -> str:
        """An enterprise to which nobody is on the way asks for help, and free officers stand beside it.

        Returns its name.
        """
        data = self.graph(ENTERPRISES)
        enterprise = next(
            each
            for each in data["enterprises"]["nodes"]
            if each["location"] and all(each[of]["totalCount"] == 0 for of in ("calls", "visits", "sent"))
        )
        free = [each for each in data["inspectors"]["nodes"] if each["visits"]["totalCount"] == 0]
        for officer in free[: len(problems)]:
            self.act("inspectorReportPosition", inspector=officer["id"], position=enterprise["location"])
        for problem in problems:
            self.act("assistanceRequest", enterprise=enterprise["id"], problem=problem)
        name: str = enterprise["name"]
        return name


@pytest.fixture(scope="module")
def bureau(scratch: Path, request: pytest.FixtureRequest) -> Iterator[Bureau]:
    own = scratch / request.module.__name__
    url = f"sqlite:///{own}.db"
    with serving(Path(f"{own}.log"), url, **SECRET) as process:
        for name, full_name in PEOPLE.items():
            account = ["account", "add", "--name", name, "--full-name", full_name, "--role", "commander"]
            subprocess.run(
                [sys.executable, "-m", "web", *account, "--password-stdin"],
                env=environment(url, **SECRET),
                input=PASSWORD,
                text=True,
                check=True,
            )
        token = web("token", "--demo", "--role", "commander", url=url, **SECRET).stdout.strip()
        yield Bureau(process, token)


@asynccontextmanager
async def desk(
    chromium: Browser, bureau: Bureau, path: str = "/desk/", *, name: str = NAME, **options: Any
) -> AsyncIterator[Page]:
    address = bureau.process.address
    options = {"locale": "zh-CN", "viewport": {"width": 1920, "height": 1080}, **options}
    async with watched_page(chromium, address, EXPECTED, **options) as watched:
        page = watched.page
        answer = await page.request.post(
            f"{address}/auth/sign-in", data={"name": name, "password": PASSWORD}, headers={"origin": address}
        )
        assert answer.ok, await answer.text()
        await page.goto(f"{address}{path}")
        yield page


def row(page: Page, name: str) -> Locator:
    return page.get_by_label("待办").get_by_role("listitem").filter(has_text=name)
