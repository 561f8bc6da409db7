"""The server under attack: a process of its own, outside demo mode, on a copy of the demo."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from models.db.database import Database
from resolvers.demo import seed
from resolvers.queries.viewers import first_codes
from tests.conftest import TODAY, Databases, close_for_copying
from tests.hostile.case import COMMANDER, ENTERPRISE, WALL, Target
from tests.hostile.watch import Watch
from tests.support.proof_mode import PROVING
from tests.support.server_process import serving_without_demo, web

SECRET = "a secret of the tests, of no use elsewhere"
ENTERPRISES = 2_000
PROBE = "probe"  # the viewer who is not to notice anything
# The corpus is about what a single request does. The group "limits" attacks with the limits of rates as they are.
SETTINGS = {
    "HUHANG_SECRET": SECRET,
    "HUHANG_OPERATIONS_PER_MINUTE": "0",
    "HUHANG_ANONYMOUS_PER_MINUTE": "0",
    "HUHANG_FAILED_TOKENS_PER_MINUTE": "1000000",
    "PYTHONUNBUFFERED": "1",
}


async def first_enterprise(url: str) -> str:
    """The code of an enterprise of the demo."""
    database = Database(url)
    try:
        code = (await first_codes(database)).code
    finally:
        await database.close()
    assert code is not None
    return code


def token(url: str, *arguments: str) -> str:
    """A token as an operator makes one."""
    done = web("token", *arguments, url=url, **SETTINGS)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


@pytest_asyncio.fixture(scope="module")
async def attacked_url(databases: Databases, migrated_url: str, demo_url: str) -> str:
    """A copy of the tests' demo; in a proof a demo of the size that `make run` makes."""
    if not PROVING:
        return await databases.new(demo_url)
    url = await databases.new(migrated_url)
    database = Database(url)
    await seed(database, enterprises=ENTERPRISES, today=TODAY)
    await close_for_copying(database)
    return url


@pytest_asyncio.fixture(scope="module")
async def tokens(attacked_url: str) -> dict[str, str]:
    """A token by viewer."""
    return {
        WALL: token(attacked_url, "--role", "wall", "--name", "大屏"),
        COMMANDER: token(attacked_url, "--role", "commander", "--name", "攻击者"),
        ENTERPRISE: token(
            attacked_url, "--role", "enterprise", "--enterprise", await first_enterprise(attacked_url), "--name", "企业"
        ),
        PROBE: token(attacked_url, "--role", "inspector", "--inspector", "XS1001", "--name", "旁人"),
    }


@pytest.fixture(scope="module")
def watch(
    request: pytest.FixtureRequest,
    attacked_url: str,
    tokens: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Watch]:
    """The server, watched. A module's SETTINGS replace those here."""
    folder: Path = tmp_path_factory.mktemp("hostile")
    settings = {**SETTINGS, "HUHANG_EVIDENCE_URL": str(folder / "evidence"), **getattr(request.module, "SETTINGS", {})}
    with serving_without_demo(folder / "server.log", attacked_url, **settings) as server:
        watch = Watch(server, tokens[PROBE])
        with watch.running():
            yield watch


@pytest.fixture(scope="module")
def target(watch: Watch, tokens: dict[str, str]) -> Target:
    return Target(watch.port, {name: value for name, value in tokens.items() if name != PROBE})
