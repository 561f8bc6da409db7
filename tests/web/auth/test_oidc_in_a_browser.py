"""Signing in at an identity provider, in a browser."""

import json
from pathlib import Path

import pytest
from playwright.async_api import Page, Route, expect

from models.db.database import Database
from models.visibility import Role
from resolvers.demo import seed
from tests.conftest import TODAY, Databases
from tests.support.browser import open_browser
from tests.support.oidc_provider import CLIENT_ID, CLIENT_SECRET, real_provider
from tests.support.server_process import serving_without_demo
from tests.web.conftest import SECRET

ZHANG = {"sub": "0815", "preferred_username": "zhang.wei", "name": "张伟", "roles": ["duty"]}
WHO = '{"query": "{ viewer { role name } }"}'
PATIENCE = 180_000  # milliseconds; it only ends a hang


async def only_this_machine(route: Route) -> None:
    """The provider's page wants a style sheet from the internet."""
    if "//127.0.0.1:" in route.request.url or "//localhost:" in route.request.url:
        await route.continue_()
    else:
        await route.abort()


async def shown(page: Page) -> dict[str, object]:
    """The JSON that the page shows."""
    value: dict[str, object] = json.loads(await page.locator("body").inner_text())
    return value


async def sign_in(page: Page, address: str) -> None:
    """By the provider: the page's scripts cannot read the cookie, and the graph takes it."""
    await page.goto(f"{address}/auth/oidc/start?next=/auth/session")
    await expect(page.get_by_text(f"Client ID: {CLIENT_ID}")).to_be_visible(timeout=PATIENCE)
    await page.get_by_role("button", name="0815").click()
    await page.wait_for_url(f"{address}/auth/session")
    viewer = (await shown(page))["viewer"]
    assert isinstance(viewer, dict)
    assert (viewer["name"], viewer["role"]) == ("zhang.wei", "COMMANDER")
    assert await page.evaluate("document.cookie") == ""
    answer = await page.evaluate(
        "body => fetch('/graphql', {method: 'POST', body, headers: {'content-type': 'application/json'}})"
        ".then(response => response.json())",
        WHO,
    )
    assert answer == {"data": {"viewer": {"role": "COMMANDER", "name": "张伟"}}}
    [cookie] = await page.context.cookies()
    assert (cookie["name"], cookie["httpOnly"], cookie["sameSite"]) == ("huhang", True, "Lax")


async def sign_out(page: Page, address: str) -> None:
    """It leads to the provider, and from there back to the sign-in."""
    await page.goto(address)
    await page.get_by_role("button", name="Sign out").click()
    await page.get_by_role("button", name="End session").click()
    await page.wait_for_url(f"{address}/signin/")
    await page.get_by_role("heading", name="Sign in", exact=True).wait_for()
    assert (await (await page.context.request.get(f"{address}/auth/session")).json())["viewer"] is None


@pytest.mark.database_independent
async def test_a_browser_is_signed_in_by_the_provider(databases: Databases, migrated_url: str, scratch: Path) -> None:
    url = await databases.new(migrated_url)
    database = Database(url)
    await seed(database, enterprises=2, today=TODAY)
    await database.close()
    with real_provider(ZHANG) as issuer:
        settings = {
            "HUHANG_SECRET": SECRET.get_secret_value(),
            "HUHANG_OIDC_ISSUER": issuer,
            "HUHANG_OIDC_CLIENT_ID": CLIENT_ID,
            "HUHANG_OIDC_CLIENT_SECRET": CLIENT_SECRET,
            "HUHANG_OIDC_ROLES": json.dumps({"duty": Role.COMMANDER.name}),
        }
        with serving_without_demo(scratch / f"oidc-{url.rsplit('/', 1)[-1][:20]}.log", url, **settings) as server:
            async with open_browser() as browser:
                context = await browser.new_context(locale="en-GB")
                await context.route("**/*", only_this_machine)
                page = await context.new_page()
                page.set_default_timeout(PATIENCE)
                await sign_in(page, server.address)
                await sign_out(page, server.address)
