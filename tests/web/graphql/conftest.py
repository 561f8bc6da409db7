"""The running server that tests of streams share."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.conftest import Databases
from tests.support.stream_clients import HURRIED, LiveDistrict, live_district, small_district


@pytest_asyncio.fixture(scope="package")
async def live(databases: Databases, migrated_url: str, scratch: Path) -> AsyncIterator[LiveDistrict]:
    with live_district(scratch, *await small_district(databases, migrated_url), program=HURRIED) as district:
        yield district
