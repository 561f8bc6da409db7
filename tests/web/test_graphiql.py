"""GraphiQL in a browser that reaches nothing but this server."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Request, Route, TimeoutError, expect

from tests.support.browser import open_browser
from tests.support.server_process import Process, serving
from tests.support.watched_page import PATIENCE, watched_page
from web.pages import PAGES


class Graphiql:
    """GraphiQL in a page."""

    def __init__(self, page: Page) -> None:
        self.page = page

    async def play(self, operation: str) -> Any:
        """Run the operation of the front tab. Returns the server's response."""
        for _ in range(20):
            async with self.page.expect_request(lambda request: request.url.endswith("/graphql")) as asked:
                await self.page.locator(".graphiql-execute-button").click()
            request = await asked.value
            response = await request.response()
            assert response
            if not early(request):
                assert f'"operationName":"{operation}"' in (request.post_data or "")
                return await response.json()
        raise AssertionError(f"GraphiQL did not run {operation}")


def early(request: Request) -> bool:
    """Whether GraphiQL sent the request before it was ready.

    For a moment after a change of tabs it asks the new document for the old one's operation, and nothing on the page
    tells when that moment is over. Such a request is kept from the server, which would complain with reason.
    """
    asked: Any = request.post_data_json if request.url.endswith("/graphql") else None
    kinds = [f"{kind} {asked['operationName']} " for kind in ("query", "mutation")] if asked else []
    return asked is not None and not any(kind in asked["query"].replace("(", " (") for kind in kinds)


@pytest_asyncio.fixture(scope="module")
async def chromium() -> AsyncIterator[Browser]:
    async with open_browser() as browser:
        yield browser


@pytest_asyncio.fixture
async def graphiql(chromium: Browser, served: Process) -> AsyncIterator[Graphiql]:
    async with looked_at(chromium, served) as graphiql:
        yield graphiql


@asynccontextmanager
async def looked_at(chromium: Browser, served: Process) -> AsyncIterator[Graphiql]:
    """GraphiQL, ready for input. Afterwards asserts that it had no complaint and no request to elsewhere."""
    assert (PAGES / "graphiql").is_dir(), "GraphiQL is not built: make setup"
    async with watched_page(chromium, served.address) as watched:
        await watched.page.context.route("**/graphql", withhold_early)
        await watched.page.goto(f"{served.address}/graphiql/")
        await watched.page.locator(".graphiql-query-editor .view-line").first.wait_for()
        yield Graphiql(watched.page)


async def withhold_early(route: Route) -> None:
    if early(route.request):
        await route.fulfill(json={})
    else:
        await route.fallback()


async def test_the_headline_file_is_the_first_example(graphiql: Graphiql) -> None:
    answer = await graphiql.play("HeadlineFile")
    assert "errors" not in answer
    enterprises = answer["data"]["zone"]["enterprises"]["nodes"]
    assert enterprises
    assert any(e["hazards"]["nodes"] for e in enterprises)
    await expect(graphiql.page.get_by_role("note")).to_contain_text("Demo mode: all data are invented")
    # The first viewer is the commander, who sees everything.
    assert all(e["legalRepresentative"]["name"] for e in enterprises)
    result = graphiql.page.locator(".graphiql-response .view-lines")
    await expect(result).to_contain_text(answer["data"]["zone"]["name"], timeout=PATIENCE)


@pytest.mark.parametrize(
    ("tab", "root"), [("OpeningScene", "venue"), ("PageOfHazards", "hazards"), ("DistrictMap", "enterprises")]
)
async def test_the_other_examples_run_from_their_tabs(graphiql: Graphiql, tab: str, root: str) -> None:
    await graphiql.page.get_by_role("tab", name=tab).click()
    await expect(graphiql.page.locator(".graphiql-query-editor .view-lines")).to_contain_text(f"query\xa0{tab}")
    answer = await graphiql.play(tab)
    assert "errors" not in answer
    assert answer["data"][root]


async def test_operations_run_as_the_chosen_viewer(graphiql: Graphiql) -> None:
    chosen = graphiql.page.get_by_label("Ask as")
    await chosen.select_option("no token")
    for _ in range(2):
        enterprises = (await graphiql.play("HeadlineFile"))["data"]["zone"]["enterprises"]["nodes"]
        assert {e["legalRepresentative"] for e in enterprises} == {None}
        # The choice stays in this tab.
        await graphiql.page.reload()
        await graphiql.page.locator(".graphiql-query-editor .view-line").first.wait_for()
        await expect(chosen.locator("option:checked")).to_have_text("no token")


async def test_a_link_opens_its_query_in_a_tab(chromium: Browser, served: Process) -> None:
    """At the first visit and at a later one, also from the address of the graph itself, and without running it."""
    query = "query Linked($code: String!) { zone(by: {code: $code}) { name } }"
    search = urlencode({"query": query, "variables": '{"code": "GUALI"}'})
    async with looked_at(chromium, served) as graphiql:
        page = graphiql.page
        for path in (f"/graphiql/?{search}", f"/graphql?{search}"):
            await page.goto(f"{served.address}{path}")
            shown = page.locator(".graphiql-query-editor .view-lines")
            await expect(shown).to_contain_text("query\xa0Linked", timeout=PATIENCE)
            assert (await graphiql.play("Linked"))["data"]["zone"]["name"]
        # The tabs of the first visit are there still, and the link is in one of them only.
        await expect(page.get_by_role("tab", name="Linked")).to_have_count(1)
        await expect(page.get_by_role("tab", name="HeadlineFile")).to_have_count(1)


async def test_a_mutation_and_a_subscription_run_from_their_tabs(chromium: Browser, scratch: Path) -> None:
    busy = serving(scratch / "busy.log", f"sqlite:///{scratch / 'busy.db'}", "--simulate")
    with busy as process:
        async with looked_at(chromium, process) as graphiql:
            page = graphiql.page
            await page.get_by_role("tab", name="RegisterEnterprise").click()
            written = page.locator(".graphiql-query-editor .view-lines")
            await expect(written).to_contain_text("mutation\xa0RegisterEnterprise")
            for version in (1, 1):
                answer = (await graphiql.play("RegisterEnterprise"))["data"]["enterpriseUpsert"]
                assert (answer["__typename"], answer["enterprise"]["version"]) == ("EnterpriseUpserted", version)
            await page.get_by_role("tab", name="LiveInspections").click()
            shown = page.locator(".graphiql-query-editor .view-lines")
            await expect(shown).to_contain_text("subscription\xa0LiveInspections")
            for _ in range(20):
                with suppress(TimeoutError):
                    async with page.expect_websocket(timeout=1_000):
                        # The first time may be too early, as in `play`.
                        await page.locator(".graphiql-execute-button").click()
                    break
            result = page.locator(".graphiql-response .view-lines")
            cursors: set[str] = set()
            async with asyncio.timeout(4 * PATIENCE / 1000):
                while len(cursors) < 3:
                    text = await result.inner_text()
                    cursors.update(re.findall(r'"cursor":\s"([0-9a-f]{16}-\d+)"', text))
                    assert "errors" not in text
            # It stops on request.
            await page.get_by_role("button", name="Stop query").click()
            await expect(page.get_by_role("button", name="Execute query")).to_be_visible()


async def test_the_documentation_shows_the_schema(graphiql: Graphiql) -> None:
    await graphiql.page.get_by_role("button", name="Show Documentation Explorer").click()
    documents = graphiql.page.locator(".graphiql-doc-explorer")
    await expect(documents).to_contain_text("Query", timeout=PATIENCE)
    await documents.get_by_role("link", name="Query").first.click()
    await expect(documents).to_contain_text("enterprises")
    await expect(documents).to_contain_text("The enterprises.")


async def test_the_explorer_lists_the_fields(graphiql: Graphiql) -> None:
    await graphiql.page.get_by_role("button", name="Show GraphiQL Explorer").click()
    explorer = graphiql.page.locator(".graphiql-plugin")
    await expect(explorer).to_contain_text("enterprises", timeout=PATIENCE)
    await explorer.get_by_text("warehouses", exact=True).first.click()
    answer = await graphiql.play("HeadlineFile")
    assert list(answer["data"]) == ["zone", "warehouses"]


def test_the_page_has_a_policy_that_allows_no_other_origin(served: Process) -> None:
    headers = httpx.get(f"{served.address}/graphiql/", timeout=PATIENCE / 1000).headers
    # A browser obeys each of several: the one that every response has, and the page's own.
    *_, policy = headers.get_list("content-security-policy")
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert directives["default-src"] == "'self'"
    assert directives["connect-src"] == "'self'"
    assert "http" not in policy
