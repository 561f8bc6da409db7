"""Random changes of every kind to a database: actions, rain, positions, imports, uploads, exports, a restore."""

import datetime as dt
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
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

# How often each kind of change comes. Each is a method of RandomHistory.
WEIGHTS = {
    "action": 50,
    "senseless_action": 8,
    "rain": 8,
    "position": 6,
    "repeated_action": 3,
    "full_import": 6,
    "partial_import": 4,
    "upload": 5,
    "collection": 2,
    "export": 1,
    "unlogged_write": 6,
    "restore": 1,
}
PAUSES_SECONDS = (0, 1, 3_600, 40_000)
MODELS = OWN_EVENT_MODELS + ANY_EVENT_MODELS
# An export sets it on rows without one, and appends no event.
EXPORT_COLUMNS = frozenset({"external_id"})


class RandomHistory:
    """Makes one random change after another in a small district.

    It fails the test where a value that belongs to the log has changed and the log's head has not.
    """

    def __init__(self, desk: Desk, world: World, random: Random) -> None:
        self.desk, self.world, self.random = desk, world, random
        self.chooser = ActionChooser(world)
        self.successes: Counter[str] = Counter()  # by mutation
        self._folder = tempfile.TemporaryDirectory(prefix="huhang-")
        folder = Path(self._folder.name)
        self._store, self._exported = store.DirectoryStore(folder / "evidence"), folder / "export"
        self._imports = RandomImports(world, folder / "register", random)
        self._head: event_log.LogState | None = None
        self._documents: dict[str, str] = {}

    def close(self) -> None:
        self._folder.cleanup()

    async def next(self) -> None:
        """Make one change, then let some time pass."""
        if self._head is None:
            await self._check()
        kind = self.random.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        change: Callable[[], Awaitable[None]] = getattr(self, f"_{kind}")
        await change()
        await self._check()
        self.desk.later(dt.timedelta(seconds=self.random.choice(PAUSES_SECONDS)))

    async def _check(self) -> None:
        """Read all rows; where the log's head is unchanged, every logged value must be unchanged too."""
        before, self.chooser.rows = self.chooser.rows, {}
        async with self.desk.database.read() as connection:
            head = await event_log.state(connection)
            for model in MODELS:
                table = model.__table__
                rows = await connection.execute(sa.select(table).order_by(table.c.id))
                self.chooser.rows[table.name] = {row.id: row for row in rows}
        old, new = logged_values(before), logged_values(self.chooser.rows)
        assert head != self._head or old == new, [name for name in new if old[name] != new[name]]
        self._head = head

    # -- by mutations --

    async def _mutate(self, mutation: str, arguments: dict[str, Any], viewer: models.Viewer = DUTY) -> Any:
        """The success of a mutation, or None where it was refused."""
        query = self._documents.setdefault(mutation, document(self.desk.graph, mutation))
        response = await self.desk.running.run(Operation(query, {"input": arguments}), viewer)
        assert {error["extensions"]["code"] for error in response.errors} <= {"BAD_VARIABLES"}, response.errors
        result = response.data[mutation] if response.data else None
        if result is None or result["__typename"] in PROBLEMS:
            return None
        self.successes[mutation] += 1
        return result

    async def _action(self) -> None:
        mutation, arguments = self.chooser.anything(self.random, self.desk.now, self.successes)
        viewer = DUTY if self.random.random() < 0.7 else self.chooser.random_viewer(self.random)
        await self._mutate(mutation, arguments, viewer)

    async def _senseless_action(self) -> None:
        """A random input on random rows, which is mostly refused."""
        mutation, input_type = self.random.choice(sorted(root_fields(self.desk.graph).items()))

        def some(node: str) -> list[str]:
            return [self.random.choice(self.chooser.ids(node) or [node_id.encode(node, 1)])]

        arguments = plain("input", input_type, some, whole=self.random.random() < 0.3)
        await self._mutate(
            mutation, {k: v for k, v in arguments.items() if k not in ("expectedVersion", "clientMutationId")}
        )

    async def _repeated_action(self) -> None:
        """A mutation sent twice with the same id is carried out once."""
        arguments = self.chooser.input("hazardReport", self.random, self.desk.now)
        named = {**arguments, "clientMutationId": f"{self.random.random()}"}
        assert await self._mutate("hazardReport", named) == await self._mutate("hazardReport", named)

    async def _rain(self) -> None:
        """Enough rain to raise or to aggravate a warning, or so little that it is lifted in time."""
        zone = self.random.choice(["zone", "other_zone"])
        fallen_at = self.desk.now - dt.timedelta(hours=self.random.choice([0, 0, 1, 2, 9]))
        rainfall = {"millimetres": self.random.choice([0.0, 0.0, 0.0, 30.0, 60.0, 120.0]), "at": at(fallen_at)}
        await self._mutate("rainfallReport", {"zone": self.world.id(zone), **rainfall})

    async def _position(self) -> None:
        """An inspector reports a position."""
        arguments = self.chooser.input("inspectorReportPosition", self.random, self.desk.now)
        arguments["inspector"] = self.random.choice(self.chooser.ids("Inspector"))
        assert await self._mutate("inspectorReportPosition", arguments)

    # -- changes by other means --

    async def _full_import(self) -> None:
        await self._imports.import_some(self.desk.database, self.desk.now, no_notification)

    async def _partial_import(self) -> None:
        """An import that is stopped after some batches, or fails within one."""
        end = {self.random.choice(["stop", "fail"]): self.random.randint(2, 12)}
        with suppress(ImportStopped):
            await self._imports.import_some(self.desk.database, self.desk.now, no_notification, **end)

    async def _upload(self) -> None:
        """Evidence, attached to a hazard or not yet attached."""
        content, sender = Content(PNG, self.random.randbytes(20), "0" * 64), uploads.Sender(DUTY.identity)
        upload = await uploads.store_upload(self.desk.database, self._store, sender, self.desk.now, content)
        if self.random.random() < 0.5:
            arguments = self.chooser.input("hazardReport", self.random, self.desk.now)
            assert await self._mutate(
                "hazardReport", {**arguments, "evidence": [node_id.encode("Evidence", upload.id)]}
            )

    async def _collection(self) -> None:
        """Uploads that were not attached in time are deleted."""
        await uploads.collect_orphans(self.desk.database, self._store, self.desk.now + dt.timedelta(days=2))

    async def _export(self) -> None:
        """Rows without an external id get one."""
        await export(self.desk.database, self._exported)

    async def _unlogged_write(self) -> None:
        """Rows that have no events, written without an action."""
        fallen_at = self.desk.now - dt.timedelta(seconds=self.random.random())
        await insert(
            self.desk.database,
            models.RainfallReading,
            {"zone_id": self.world.zone, "at": fallen_at, "millimetres": self.random.random()},
        )
        picture = {"media_type": PNG, "bytes": 1, "sha256": f"{self.random.getrandbits(256):0>64x}"}
        await insert(self.desk.database, models.Evidence, picture)

    async def _restore(self) -> None:
        """Rows change without an event, as a restored backup would change them, and the log gets a new epoch."""
        team: Any = table_of(models.Team)
        async with self.desk.database.write() as session:
            await session.execute(sa.update(team).values(strength=self.random.randrange(100)))
            await event_log.renew_epoch(session, f"{self.random.getrandbits(64):0>16x}")


async def no_notification() -> None:
    """For an import of which no server is to be notified."""


def logged_values(rows: Contents) -> dict[str, dict[int, list[Any]]]:
    """By table and key, the values that change only together with the log."""
    values = {}
    for model in MODELS:
        table, unlogged = model.__table__, EXPORT_COLUMNS | UNTRACKED_COLUMNS.get(model, set())
        places = [place for place, column in enumerate(table.columns) if column.key not in unlogged]
        values[table.name] = {key: [row[place] for place in places] for key, row in rows.get(table.name, {}).items()}
    return values
