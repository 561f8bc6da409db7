"""Presence: who has which row open at which desk, as all processes of one bus know it.

It is told, never stored. An entry lasts as long as the subscription that made it. Each process repeats its entries
every second, and those of a process that has fallen silent are dropped, so nothing stays of a process that died. While
the bus is away, a process knows its own desks only.
"""

import datetime as dt
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

import orjson

SILENT_SECONDS = 4.0  # without a message, after which a process's entries are dropped


@dataclass(frozen=True, slots=True)
class Opened:
    """A row that a person has open. `desk` is one page, of all that this person may have open.

    `row` is the type name and key of the row; None while nothing is open. `name` is personal data.
    """

    identity: str
    desk: str
    name: str | None
    row: tuple[str, int] | None
    since: dt.datetime


class Presence:
    """The rows that all desks have open. Each change calls those who watch."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        # Called after each change of this process's desks; set by what tells other processes.
        self.changed: Callable[[], None] = lambda: None
        self._clock, self._process = clock, secrets.token_hex(8)
        self._own: dict[tuple[str, str], Opened] = {}
        self._others: dict[str, tuple[float, tuple[Opened, ...]]] = {}
        self._told_none = True
        self._watching: dict[Callable[[], None], None] = {}

    def enter(self, opened: Opened) -> Callable[[], None]:
        """Show this until the returned function is called, or until the same desk opens something else."""
        key = (opened.identity, opened.desk)
        self._own[key] = opened
        self._tell()

        def leave() -> None:
            if self._own.get(key) is opened:
                del self._own[key]
                self._tell()

        return leave

    def all(self) -> tuple[Opened, ...]:
        """All that is open, oldest first. A desk that changed its process counts once."""
        latest: dict[tuple[str, str], Opened] = {}
        for opened in [each for _, entries in self._others.values() for each in entries] + [*self._own.values()]:
            key = (opened.identity, opened.desk)
            if key not in latest or latest[key].since <= opened.since:
                latest[key] = opened
        return tuple(sorted((each for each in latest.values() if each.row), key=lambda each: (each.since, each.desk)))

    def watch(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Call `changed` after each change, until the returned function is called."""
        self._watching[changed] = None
        return lambda: self._watching.pop(changed, None)

    def message(self) -> str | None:
        """This process's entries for the others; None where there is nothing to tell."""
        if not self._own and self._told_none:
            return None
        self._told_none = not self._own
        entries = [(e.identity, e.desk, e.name, e.row, e.since) for e in self._own.values()]
        return orjson.dumps([self._process, entries]).decode()

    def receive(self, message: str) -> None:
        """Take another process's entries."""
        process, entries = orjson.loads(message)
        if process == self._process:
            return
        before = self._others.get(process, (0.0, ()))[1]
        taken = tuple(
            Opened(identity, desk, name, row and (row[0], row[1]), dt.datetime.fromisoformat(since))
            for identity, desk, name, row, since in entries
        )
        self._others[process] = self._clock(), taken
        if taken != before:
            self._announce()

    def expire(self) -> None:
        """Drop the entries of processes that have fallen silent."""
        limit = self._clock() - SILENT_SECONDS
        silent = [process for process, (heard, _) in self._others.items() if heard < limit]
        gone = [self._others.pop(process)[1] for process in silent]
        if any(gone):
            self._announce()

    def _tell(self) -> None:
        self.changed()
        self._announce()

    def _announce(self) -> None:
        for changed in list(self._watching):
            changed()
