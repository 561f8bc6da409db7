"""Events during an outage of the database: sent with their data or not at all."""

from typing import Any

import pytest

from resolvers.sql.readers import DriverReader
from schema.live import renderer
from tests.support.live_streams import Scene

UPDATES = "subscription { updates { kind enterprise { id } } }"


async def test_an_event_is_sent_with_its_data_or_not_at_all(town: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sent without its data, it would be lost: the client's cursor is beyond it."""
    monkeypatch.setattr(renderer, "PAUSE", 0.001)
    fetch, failures = DriverReader.fetch, [OSError(), OSError(), OSError()]

    async def failing(self: Any, *given: Any, **named: Any) -> Any:
        if failures:
            raise failures.pop()
        return await fetch(self, *given, **named)

    sink, _ = await town.join(UPDATES)
    await town.office.visit("PLANNED")
    monkeypatch.setattr(DriverReader, "fetch", failing)
    town.notify()
    enterprise = {"id": town.office.enterprise}
    assert await sink.next() == {"updates": {"kind": "INSPECTION_PLANNED", "enterprise": enterprise}}
    assert failures == []


async def test_subscribers_get_an_error_when_the_outage_lasts_too_long(
    town: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renderer, "PAUSE", 0.001)

    async def failing(self: Any, *given: Any, **named: Any) -> Any:
        raise OSError

    sink, place = await town.join(UPDATES)
    await town.office.visit("PLANNED")
    monkeypatch.setattr(DriverReader, "fetch", failing)
    town.notify()
    assert "errors" in await sink.messages.get()
    assert sink.failed
    assert place.position is None
