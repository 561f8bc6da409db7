"""Who comes in: invalid tokens slow their address down, and nobody else."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import structlog.testing

from models.visibility import Role, Viewer, Visibility
from resolvers.errors import NOT_A_TOKEN, ErrorCode, RequestError, ThrottledError
from schema.execution import pace
from tests.support.patience import PATIENCE
from tests.support.redis_server import redis
from web.admission import LOOK_UPS, Admission, FailedTokens
from web.auth.credentials import Credentials
from web.shares import ShareLimits, Shares

pytestmark = pytest.mark.database_independent

HERE, THERE = "192.0.2.1", "192.0.2.2"
GOOD: Mapping[bytes, bytes] = {b"authorization": b"Bearer good"}
BAD: Mapping[bytes, bytes] = {b"authorization": b"Bearer bad"}
MALFORMED: Mapping[bytes, bytes] = {b"authorization": b"Basic eDp5"}
LIMIT = 5


class Authenticator:
    """Knows one token, and counts how many it looks at."""

    anonymous = Viewer(Visibility(Role.WALL))

    def __init__(self) -> None:
        self.looked_at, self.known = 0, False
        self.at_once = self.most = 0

    def knows(self, credentials: Credentials) -> bool:
        return self.known and credentials.secret == "good"

    async def authenticate(self, credentials: Credentials | None) -> Viewer | None:
        self.looked_at += 1
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        if credentials is None or credentials.secret != "good":
            raise RequestError(ErrorCode.UNAUTHENTICATED, NOT_A_TOKEN)
        self.known = True
        return Viewer(Visibility(Role.COMMANDER), subject="good")


def admission(limits: ShareLimits | None = None, bus: str = "memory://") -> Admission:
    authenticator: Any = Authenticator()
    return Admission(authenticator, Shares(limits or ShareLimits(), 1), FailedTokens(LIMIT, bus))


async def outcomes(admitting: Admission, headers: Mapping[bytes, bytes], host: str, number: int) -> list[str]:
    seen = []
    for _ in range(number):
        try:
            await admitting.admit(headers, host)
            seen.append("admitted")
        except RequestError as error:
            seen.append(error.code.value)
    return seen


@pytest.mark.parametrize("headers", [BAD, MALFORMED])
async def test_an_address_with_invalid_tokens_has_to_wait(headers: Mapping[bytes, bytes]) -> None:
    admitting = admission()
    with structlog.testing.capture_logs() as logs:
        seen = await outcomes(admitting, headers, HERE, LIMIT + 1) + await outcomes(admitting, BAD, HERE, 3)
    assert seen == ["UNAUTHENTICATED"] * (LIMIT + 1) + ["TOO_MANY"] * 3
    refusals = [entry for entry in logs if "address" in entry]  # other tests' servers may log how busy they are
    assert refusals == [{"event": "too many invalid tokens", "address": HERE, "log_level": "warning"}]
    with pytest.raises(ThrottledError) as refused:
        await admitting.admit(GOOD, HERE)
    assert 1 <= (refused.value.retry_after or 0) <= 60
    assert await outcomes(admitting, BAD, THERE, 1) == ["UNAUTHENTICATED"]
    assert await outcomes(admitting, GOOD, THERE, 1) == ["admitted"]
    assert await outcomes(admitting, {}, HERE, 1) == ["admitted"]
    assert admitting.shares.refused["tokens"] == 4


async def test_requests_that_come_together_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few milliseconds of them are admitted in each iteration of the loop; here none has time for a second one."""
    monkeypatch.setattr(pace, "SLICE_SECONDS", -1.0)
    admitting, order = admission(), list[str]()

    async def admit(host: str) -> None:
        await admitting.admit(GOOD, host)
        order.append(host)

    await asyncio.gather(*(admit(HERE) for _ in range(100)), admit(THERE))
    # The first one needs no turn, and then each address has one.
    assert order.index(THERE) <= 2


async def test_a_session_cookie_from_an_address_that_has_to_wait_is_looked_up_in_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """So a person who has signed in goes on, and invented cookies cost one statement at a time."""
    monkeypatch.setattr(pace, "SLICE_SECONDS", 60.0)  # so that all that come together are there at once
    admitting = admission()
    await outcomes(admitting, BAD, HERE, LIMIT + 1)
    authenticator: Any = admitting.authenticator
    authenticator.most = 0
    invented, own = {b"cookie": b"huhang=bad"}, {b"cookie": b"huhang=good"}
    seen = await asyncio.gather(*(outcomes(admitting, each, HERE, 1) for each in [*[invented] * 9, own]))
    assert seen == [["UNAUTHENTICATED"]] * 9 + [["admitted"]]
    assert authenticator.most == 1
    more = await asyncio.gather(*(outcomes(admitting, invented, HERE, 1) for _ in range(100)))
    assert more.count(["TOO_MANY"]) == 100 - 1 - LOOK_UPS


async def test_a_token_that_is_refused_unread_is_not_looked_at() -> None:
    admitting = admission()
    await outcomes(admitting, BAD, HERE, LIMIT + 1)
    authenticator: Any = admitting.authenticator
    before = authenticator.looked_at
    await outcomes(admitting, BAD, HERE, 10)
    assert authenticator.looked_at == before


async def test_a_known_token_passes_from_an_address_that_has_to_wait() -> None:
    admitting = admission()
    assert await outcomes(admitting, GOOD, HERE, 1) == ["admitted"]
    await outcomes(admitting, BAD, HERE, LIMIT + 1)
    assert await outcomes(admitting, GOOD, HERE, 2) == ["admitted"] * 2


async def test_the_wait_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    admitting = admission()
    await outcomes(admitting, BAD, HERE, LIMIT + 1)
    [(key, until)] = admitting.failed._until.items()
    admitting.failed._until[key] = until - 61
    assert await outcomes(admitting, GOOD, HERE, 1) == ["admitted"]
    assert not admitting.failed.slowing


async def test_operations_are_counted_by_viewer_and_without_one_by_address() -> None:
    limits = ShareLimits(operations_per_minute=3, anonymous_per_minute=2)
    admitting = admission(limits)
    assert await outcomes(admitting, GOOD, HERE, 2) == ["admitted"] * 2
    assert await outcomes(admitting, GOOD, THERE, 2) == ["admitted", "TOO_MANY"]
    assert await outcomes(admitting, {}, HERE, 3) == ["admitted"] * 2 + ["TOO_MANY"]
    assert await outcomes(admitting, {}, THERE, 1) == ["admitted"]


async def test_a_bus_that_is_away_slows_nobody_down() -> None:
    admitting = admission(bus="redis://127.0.0.1:1")
    async with asyncio.timeout(PATIENCE):
        assert await outcomes(admitting, BAD, HERE, LIMIT + 2) == ["UNAUTHENTICATED"] * (LIMIT + 2)


async def test_processes_with_one_bus_count_together(scratch: Path) -> None:
    with redis(scratch / "admission.log") as bus:
        first, second = admission(bus=bus.url), admission(bus=bus.url)
        await outcomes(first, BAD, HERE, LIMIT)
        assert await outcomes(second, BAD, HERE, 2) == ["UNAUTHENTICATED", "TOO_MANY"]
        for admitting in (first, second):
            await admitting.failed.close()
