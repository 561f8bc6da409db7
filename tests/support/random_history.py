"""All that can happen to a database while it is read, at random and for real: actions, rain, imports, uploads, more."""

import datetime as dt
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from typing import Any

import sqlalchemy as sa

import models
from models.db.tables import table_of
from resolvers.actions.change_tracker import ANY_EVENT_MODELS, OWN_EVENT_MODELS, UNTRACKED_COLUMNS
from resolvers.evidence import store, uploads
from resolvers.evidence.content_types import PNG, Content
from resolvers.register import export
from schema.execution.operation import Operation
from schema.types import node_id
from subscriptions import event_log
from tests.support.actors import DUTY, PROBLEMS, Contents, Desk, World, at, document, insert
from tests.support.input_strategies import plain, root_fields
from tests.support.random_actions import ActionChooser
from tests.support.random_imports import ImportStopped, RandomImports

# What happens, and how often among so many.
WEIGHTS = {
    "acts": 50,
    "acts_without_sense": 8,
    "rains": 8,
    "moves": 6,
    "repeats": 3,
    "imports": 6,
    "imports_in_part": 4,
    "uploads": 5,
    "collects": 2,
    "exports": 1,
    "writes_in_silence": 6,
    "is_restored": 1,
}
PAUSES_SECONDS = (0, 1, 3_600, 40_000)  # seconds that go by
MODELS = OWN_EVENT_MODELS + ANY_EVENT_MODELS
# An export sets it on rows without one, and appends no event.
EXPORT_COLUMNS = frozenset({"external_id"})


class RandomHistory:
    """A district where one thing after another happens. `between` is called wherever an import has written a part.

    After each it is known whether the log went on, and that no logged value is another where it did not.
    """

    def __init__(self, desk: Desk, world: World, random: Random) -> None:
        self.desk, self.world, self.random = desk, world, random
        self.doing = ActionChooser(world)
        self.kinds: Counter[str] = Counter()
        self.answers: Counter[str] = Counter()
        self.done: Counter[str] = Counter()
        self._folder = tempfile.TemporaryDirectory(prefix="huhang-")
        folder = Path(self._folder.name)
        self._store, self._exported = store.DirectoryStore(folder / "evidence"), folder / "export"
        self._register = RandomImports(world, folder / "register", random)
        self._head: event_log.LogState | None = None
        self._documents: dict[str, str] = {}

    def close(self) -> None:
        self._folder.cleanup()

    @property
    def refused(self) -> int:
        return self.answers.total() - self.answers["accepted"]

    async def next(self, between: Callable[[], Awaitable[None]]) -> str:
        """Something happens; what it was."""
        if self._head is None:
            await self._look()
        kind = self.random.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        self.kinds[kind] += 1
        if kind.startswith("imports"):
            await self._imports(between, in_part=kind != "imports")
        else:
            happens: Callable[[], Awaitable[None]] = getattr(self, f"_{kind}")
            await happens()
        await self._look()
        self.desk.later(dt.timedelta(seconds=self.random.choice(PAUSES_SECONDS)))
        return kind

    async def _look(self) -> None:
        """Keep the rows that there are now. Where the log is as it was, so is every value that counts as logged."""
        before, self.doing.rows = self.doing.rows, {}
        async with self.desk.database.read() as connection:
            head = await event_log.state(connection)
            for model in MODELS:
                table = model.__table__
                rows = await connection.execute(sa.select(table).order_by(table.c.id))
                self.doing.rows[table.name] = {row.id: row for row in rows}
        old, new = logged_values(before), logged_values(self.doing.rows)
        assert head != self._head or old == new, [name for name in new if old[name] != new[name]]
        self._head = head

    # -- by mutations --

    async def _do(self, mutation: str, given: dict[str, Any], viewer: models.Viewer = DUTY) -> Any:
        query = self._documents.setdefault(mutation, document(self.desk.graph, mutation))
        answer = await self.desk.running.run(Operation(query, {"input": given}), viewer)
        assert {error["extensions"]["code"] for error in answer.errors} <= {"BAD_VARIABLES"}, answer.errors
        found = answer.data[mutation] if answer.data else {"__typename": "BAD_VARIABLES"}
        accepted = found["__typename"] not in {*PROBLEMS, "BAD_VARIABLES"}
        self.answers["accepted" if accepted else found["__typename"]] += 1
        self.done[mutation] += accepted
        return found if accepted else None

    async def _acts(self) -> None:
        mutation, given = self.doing.anything(self.random, self.desk.now, self.done)
        viewer = DUTY if self.random.random() < 0.7 else self.doing.somebody(self.random)
        await self._do(mutation, given, viewer)

    async def _acts_without_sense(self) -> None:
        """Any rows, and any fields: mostly it is refused."""
        mutation, of = self.random.choice(sorted(root_fields(self.desk.graph).items()))

        def some(node: str) -> list[str]:
            return [self.random.choice(self.doing.known(node) or [node_id.encode(node, 1)])]

        given = plain("input", of, some, whole=self.random.random() < 0.3)
        await self._do(mutation, {k: v for k, v in given.items() if k not in ("expectedVersion", "clientMutationId")})

    async def _repeats(self) -> None:
        """What a client sends twice is done once."""
        given = self.doing.begin("hazardReport", self.random, self.desk.now)
        named = {**given, "clientMutationId": f"{self.random.random()}"}
        assert await self._do("hazardReport", named) == await self._do("hazardReport", named)

    async def _rains(self) -> None:
        """Enough to raise a warning, or to make it graver, or so little that it is lifted by and by."""
        zone = self.random.choice(["zone", "other_zone"])
        moment = self.desk.now - dt.timedelta(hours=self.random.choice([0, 0, 1, 2, 9]))
        fell = {"millimetres": self.random.choice([0.0, 0.0, 0.0, 30.0, 60.0, 120.0]), "at": at(moment)}
        await self._do("rainfallReport", {"zone": self.world.id(zone), **fell})

    async def _moves(self) -> None:
        """An inspector does, or says so."""
        given = self.doing.begin("inspectorReportPosition", self.random, self.desk.now)
        given["inspector"] = self.random.choice(self.doing.known("Inspector"))
        assert await self._do("inspectorReportPosition", given)

    # -- otherwise --

    async def _imports(self, between: Callable[[], Awaitable[None]], *, in_part: bool) -> None:
        """A register: to its end, or until somebody stops it, or until it fails in the midst of a batch."""
        part = {self.random.choice(["stop", "fail"]): self.random.randint(2, 12)} if in_part else {}
        try:
            await self._register.import_some(self.desk.database, self.desk.now, between, **part)
        except ImportStopped:
            self.kinds["imports_ended_early"] += 1

    async def _uploads(self) -> None:
        """Evidence, which is attached to a hazard or waits for something to prove."""
        content = Content(PNG, self.random.randbytes(20))
        kept = await uploads.store_upload(self.desk.database, self._store, DUTY, self.desk.now, content)
        if self.random.random() < 0.5:
            given = self.doing.begin("hazardReport", self.random, self.desk.now)
            assert await self._do("hazardReport", {**given, "evidence": [node_id.encode("Evidence", kept.id)]})

    async def _collects(self) -> None:
        """What was uploaded and waits too long goes."""
        collected = await uploads.collect_orphans(self.desk.database, self._store, self.desk.now + dt.timedelta(days=2))
        self.kinds["orphans"] += collected.rows

    async def _exports(self) -> None:
        """Rows without a name get one."""
        await export(self.desk.database, self._exported)

    async def _writes_in_silence(self) -> None:
        """Past all actions, what no event tells of."""
        moment = self.desk.now - dt.timedelta(seconds=self.random.random())
        await insert(
            self.desk.database,
            models.RainfallReading,
            {"zone_id": self.world.zone, "at": moment, "millimetres": self.random.random()},
        )
        picture = {"media_type": PNG, "bytes": 1, "sha256": f"{self.random.getrandbits(256):0>64x}"}
        await insert(self.desk.database, models.Evidence, picture)

    async def _is_restored(self) -> None:
        """Rows are as they were some day, which no event tells of, and the log has a new epoch."""
        team: Any = table_of(models.Team)
        async with self.desk.database.write() as session:
            await session.execute(sa.update(team).values(strength=self.random.randrange(100)))
            await event_log.renew_epoch(session, f"{self.random.getrandbits(64):0>16x}")


def logged_values(rows: Contents) -> dict[str, dict[int, list[Any]]]:
    """By table and key, the values that change only together with the log."""
    found = {}
    for model in MODELS:
        table, unlogged = model.__table__, EXPORT_COLUMNS | UNTRACKED_COLUMNS.get(model, set())
        places = [place for place, column in enumerate(table.columns) if column.key not in unlogged]
        found[table.name] = {key: [row[place] for place in places] for key, row in rows.get(table.name, {}).items()}
    return found
