"""Whether this process can do its work, as `/readyz` tells it: reads, changes and events."""

import asyncio
from dataclasses import dataclass
from time import monotonic

import structlog

from models.db.outages import error_name
from models.db.probe import Probe
from models.db.revisions import head, is_migrated
from models.failures import FAILURES
from subscriptions.feed import Feed
from subscriptions.notifier import Notifier

log = structlog.get_logger(__name__)

EVERY_SECONDS = 1.0  # between two checks; requests in between share one
PATIENCE_SECONDS = 3.0  # for the database
FEED_SECONDS = 10.0  # a feed that was not at the end of the log for so long does not keep up
OK, NEWER, FAILED, UNKNOWN = "ok", "newer", "failed", "unknown"
STEPS = ("connection", "migrations", "write")


@dataclass(frozen=True)
class ReadinessState:
    """The outcome of each check: ok, failed, or unknown where an earlier one failed; `newer` is a later schema's."""

    checks: dict[str, str]
    notifier: str

    @property
    def failed(self) -> list[str]:
        return [name for name, outcome in self.checks.items() if outcome == FAILED]

    def body(self) -> dict[str, object]:
        # `doorbell` is the key's former name; clients may still read it.
        status = "not ready" if self.failed else "ok"
        return {"status": status, "checks": self.checks, "notifier": self.notifier, "doorbell": self.notifier}


class Readiness:
    """Checks at most once a second, and only when asked. Requests that come together share a check."""

    def __init__(self, probe: Probe, feed: Feed, notifier: Notifier) -> None:
        self._probe, self._feed, self._notifier = probe, feed, notifier
        self._probing: asyncio.Task[None] | None = None
        self._checking: asyncio.Task[ReadinessState] | None = None
        self._checked_at = 0.0
        self._failed: list[str] = []

    async def state(self) -> ReadinessState:
        """The state now, or as it was within the last second."""
        checking = self._checking
        if checking is None or (checking.done() and monotonic() >= self._checked_at + EVERY_SECONDS):
            checking = self._checking = asyncio.create_task(self._check())
        # Shielded, because others may wait for it too.
        return await asyncio.shield(checking)

    async def _check(self) -> ReadinessState:
        error: BaseException | None = None
        try:
            await self._run_probe()
        except Exception as failure:  # whatever it is, the process is not ready
            error = failure
        checks = self._outcomes(self._probe.step if error is not None else None)
        checks["feed"] = OK if monotonic() <= self._feed.current_at + FEED_SECONDS else FAILED
        state = ReadinessState(checks, self._notifier.state.value)
        self._log(state, error)
        self._checked_at = monotonic()
        return state

    async def _run_probe(self) -> None:
        """Raises TimeoutError where the probe takes too long. It then goes on, and no other one begins meanwhile."""
        if self._probing is None or self._probing.done():
            self._probing = asyncio.create_task(self._probe.run())
        done, _ = await asyncio.wait({self._probing}, timeout=PATIENCE_SECONDS)
        if not done:
            raise TimeoutError
        self._probing.result()

    def _outcomes(self, failed: str | None) -> dict[str, str]:
        """The outcomes of the probe's steps, of which those before the failed one succeeded."""
        outcomes = dict.fromkeys(STEPS, OK)
        if failed is not None:
            index = STEPS.index(failed)
            outcomes |= {failed: FAILED, **dict.fromkeys(STEPS[index + 1 :], UNKNOWN)}
        if outcomes["migrations"] == OK:
            revision = self._probe.revision
            outcomes["migrations"] = (OK if revision == head() else NEWER) if is_migrated(revision) else FAILED
        return outcomes

    def _log(self, state: ReadinessState, error: BaseException | None) -> None:
        """Log each change, with the name of the error."""
        if state.failed == self._failed:
            return
        self._failed = state.failed
        if state.failed:
            more = {} if error is None else {"error": type(error).__name__, "state": error_name(error)}
            log.error("not ready", failed=state.failed, **more)
        else:
            log.info("ready again")
            FAILURES.forget()

    async def stop(self) -> None:
        """End a check that is under way."""
        tasks = [task for task in (self._checking, self._probing) if task is not None and not task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
