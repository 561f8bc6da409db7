"""Fixtures of an office in a district of its own. A folder's conftest.py imports those that its tests use."""

from collections.abc import AsyncIterator

import pytest_asyncio

from models.db.database import Database
from schema.build import Graph
from tests.conftest import Databases
from tests.support.district import Office, open_office


@pytest_asyncio.fixture(scope="module")
async def shared_database(databases: Databases, migrated_url: str) -> AsyncIterator[Database]:
    """One database for all tests of a file."""
    database = Database(await databases.new(migrated_url))
    yield database
    await database.close()


@pytest_asyncio.fixture
async def office(graph: Graph, shared_database: Database) -> Office:
    """An office in a new district of the shared database."""
    return await open_office(graph, shared_database)
