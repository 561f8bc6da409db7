"""Fair shares: what one viewer or address may use at once and in a minute, and that others do not notice."""

import asyncio
from typing import Any

import pytest

from models.db.database import Database
from models.visibility import Role, Viewer, Visibility
from resolvers.errors import ErrorCode, ThrottledError
from schema.build import Graph
from schema.execution.documents import SHORT, Documents
from schema.execution.operation import Operation
from tests.conftest import make_executor
from tests.support.patience import PATIENCE
from web import shares as module
from web.shares import HEAVY, HEAVY_WAITING, LIGHT_SHARE, LIGHT_WAITING, ShareLimits, Shares, TokenBucket, address_key

pytestmark = pytest.mark.database_independent

A, B = (Viewer(Visibility(Role.WALL), subject=subject) for subject in "ab")


class Clock:
    """The monotonic clock of the buckets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_000.0
        monkeypatch.setattr("time.monotonic", lambda: self.now)


class Operations:
    """Operations that last until they are told to end."""

    def __init__(self, shares: Shares) -> None:
        self.shares, self.running, self._end = shares, list[str](), asyncio.Event()

    async def _execute(self, name: str) -> str:
        self.running.append(name)
        await self._end.wait()
        return name

    def start(self, viewer: Viewer, cost: int, name: str) -> "asyncio.Task[str]":
        party = self.shares.party(viewer, None)
        return asyncio.create_task(self.shares.run(party, cost, self._execute, name))

    def end(self) -> None:
        self._end.set()


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def refused(task: "asyncio.Task[Any]") -> str | None:
    error = task.exception() if task.done() else None
    return error.code.value if isinstance(error, ThrottledError) else None


async def test_one_viewers_light_operations_leave_room_for_anothers() -> None:
    operations = Operations(Shares(ShareLimits(), 2))
    flood = [operations.start(A, 1_000, f"a{number}") for number in range(LIGHT_WAITING + 10)]
    await settle()
    assert len(operations.running) == LIGHT_SHARE // 1_000
    assert [refused(task) for task in flood].count("BUSY") == 10 - LIGHT_SHARE // 1_000
    operations.start(B, 1, "b")
    await settle()
    assert operations.running[-1] == "b"
    operations.end()
    await asyncio.gather(*flood, return_exceptions=True)
    assert operations.shares.waiting == 0
    assert operations.shares.refused["queue"] == 6


async def test_heavy_operations_leave_connections_to_light_ones_and_to_other_viewers() -> None:
    operations = Operations(Shares(ShareLimits(), 2))
    flood = [operations.start(A, HEAVY + 1, f"a{number}") for number in range(HEAVY_WAITING + 2)]
    await settle()
    assert operations.running == ["a0"]
    assert refused(flood[-1]) == "BUSY"
    others = [operations.start(B, HEAVY + 1, "b heavy"), operations.start(A, HEAVY, "a light")]
    await settle()
    assert operations.running == ["a0", "b heavy", "a light"]
    operations.end()
    await asyncio.gather(*flood, *others, return_exceptions=True)


async def test_an_operation_that_is_cancelled_leaves_the_queue() -> None:
    operations = Operations(Shares(ShareLimits(), 1))
    first, second = (operations.start(A, HEAVY + 1, name) for name in ("first", "second"))
    await settle()
    assert operations.shares.waiting == 1
    second.cancel()
    await settle()
    assert operations.shares.waiting == 0
    operations.end()
    assert await first == "first"


async def test_an_operation_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAIT_SECONDS", 0.01)
    operations = Operations(Shares(ShareLimits(), 1))
    first, second = (operations.start(A, HEAVY + 1, name) for name in ("first", "second"))
    with pytest.raises(ThrottledError) as error:
        await second
    assert (error.value.code, error.value.retry_after) == (ErrorCode.BUSY, module.BUSY_SECONDS)
    operations.end()
    await first


async def test_large_answers_that_a_viewer_does_not_read_count(monkeypatch: pytest.MonkeyPatch) -> None:
    operations = Operations(Shares(ShareLimits(), 1))
    operations.end()
    party = operations.shares.party(A, None)
    party.unsent = module.UNSENT_MAXIMUM + 1
    with pytest.raises(ThrottledError):
        await operations.start(A, HEAVY + 1, "heavy")
    assert await operations.start(A, 1, "light") == "light"
    assert await operations.start(B, HEAVY + 1, "of another") == "of another"


def test_a_bucket_allows_so_many_in_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    bucket = TokenBucket(60)
    assert [bucket.take(1) for _ in range(60)] == [0.0] * 60
    assert bucket.take(1) == 1.0
    clock.now += 0.5
    assert bucket.take(1) == 0.5
    clock.now += 0.5
    assert bucket.take(1) == 0.0
    idle = [bucket.idle]
    clock.now += 60
    assert [*idle, bucket.idle] == [False, True]
    # What is more than a full bucket can be taken from a full one.
    assert bucket.take(90) == 0.0
    assert bucket.take(1) == 31.0


def test_heavy_operations_count_as_several(monkeypatch: pytest.MonkeyPatch) -> None:
    Clock(monkeypatch)
    shares = Shares(ShareLimits(operations_per_minute=60), 1)
    party = shares.party(A, None)
    shares.count(party, 59)
    shares.count(party)
    with pytest.raises(ThrottledError) as error:
        shares.count(party)
    assert (error.value.code, error.value.retry_after) == (ErrorCode.TOO_MANY, 1)
    shares.count(shares.party(B, None))
    assert shares.refused["rate"] == 1


def test_an_address_is_the_party_of_requests_without_a_viewer() -> None:
    shares = Shares(ShareLimits(operations_per_minute=0), 1)
    assert shares.party(None, "192.0.2.1") is shares.party(None, "192.0.2.1")
    assert shares.party(None, "192.0.2.1") is not shares.party(None, "192.0.2.2")
    assert shares.party(A, "192.0.2.1") is shares.party(A, "192.0.2.2")
    for _ in range(100_000):
        shares.count(shares.party(A, None))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("unix", None, False),
    ],
)
def test_addresses_of_one_client_have_one_key(one: str, other: str | None, same: bool) -> None:
    assert (address_key(one) == address_key(other)) is same


def test_idle_parties_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    monkeypatch.setattr(module, "PARTIES", 10)
    shares = Shares(ShareLimits(), 1)
    shares._sweep_at = 10
    busy = shares.party(None, "192.0.2.1")
    place = shares.connect("192.0.2.1")
    place.take(busy)
    for number in range(9):
        shares.count(shares.party(None, f"198.51.100.{number}"))
    clock.now += 60
    shares.party(None, "203.0.113.1")
    assert set(shares._parties) == {"address:192.0.2.1", "address:203.0.113.1"}
    assert shares.party(None, "192.0.2.1") is busy


def test_streams_are_counted_by_viewer_and_by_address() -> None:
    shares = Shares(ShareLimits(streams=2, streams_per_address=3), 1)
    places = [shares.connect("192.0.2.1") for _ in range(3)]
    for place in places[:2]:
        place.take(shares.party(A, None))
    with pytest.raises(ThrottledError):
        places[2].take(shares.party(A, None))
    with pytest.raises(ThrottledError):
        shares.connect("192.0.2.1")
    shares.connect("192.0.2.2").leave()
    for place in places:
        place.leave()
        place.leave()
    assert shares.party(A, None).streams == 0
    assert not shares._addresses


# -- documents --


def long_document(number: int) -> str:
    text = f"{{ z{number}: zones {{ {' '.join(f'x{n}: name' for n in range(150))} }} }}"
    assert len(text) > SHORT
    return text


async def test_many_requests_of_one_unknown_document_wait_for_the_first(
    graph: Graph, demo: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred screens of one viewer that come back at once ask for the same documents."""
    analysed: list[str] = []
    analyse = Documents.analyse

    def record(self: Documents, text: str, name: str | None) -> Any:
        analysed.append(text)
        return analyse(self, text, name)

    monkeypatch.setattr(Documents, "analyse", record)
    shares, executor = Shares(ShareLimits(), 2), make_executor(graph, demo)
    party = shares.party(A, None)
    requests = [Operation(long_document(number % 3)) for number in range(3 * (LIGHT_WAITING + 10))]
    prepared = await asyncio.gather(*(shares.prepare(party, executor, each, A) for each in requests))
    assert len({id(each.parsed) for each in prepared}) == 3
    assert len(analysed) == 3


async def test_when_the_first_one_is_cancelled_another_prepares_the_document(graph: Graph, demo: Database) -> None:
    shares, executor = Shares(ShareLimits(), 2), make_executor(graph, demo)
    party, operation = shares.party(A, None), Operation(long_document(0))
    first = asyncio.create_task(shares.prepare(party, executor, operation, A))
    second = asyncio.create_task(shares.prepare(party, executor, operation, A))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).variables == {}
    assert first.cancelled()


async def test_many_unknown_documents_of_one_viewer_are_refused_at_last(
    graph: Graph, demo: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WAIT_SECONDS", PATIENCE)  # so that none is refused because it waits for long
    shares, executor = Shares(ShareLimits(), 2), make_executor(graph, demo)
    party = shares.party(A, None)
    requests = [
        asyncio.create_task(shares.prepare(party, executor, Operation(long_document(number)), A))
        for number in range(LIGHT_WAITING + 10)
    ]
    await asyncio.wait(requests)
    assert [refused(task) for task in requests].count("BUSY") == 9  # one is prepared, and the others wait
