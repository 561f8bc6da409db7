"""The scene that tests of live streams play in."""

from collections.abc import AsyncIterator

import pytest_asyncio

from models.db.database import Database
from schema.build import Graph
from tests.support.district import open_office
from tests.support.live_streams import Scene, scene


@pytest_asyncio.fixture
async def town(database: Database, graph: Graph) -> AsyncIterator[Scene]:
    async with scene(await open_office(graph, database)) as opened:
        yield opened
