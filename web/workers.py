"""Several processes at one address. Each is a complete server; this one starts, replaces and stops them.

uvicorn's own supervisor does not fit. It stops everything when a replacement cannot start, such as while the database
is away; its workers outlive a supervisor that is killed; and it waits for them without a bound.
"""

import contextlib
import multiprocessing
import os
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TypeAlias

import structlog

from models import metrics
from web import server
from web.logging import configure

log = structlog.get_logger(__name__)

MEMORY = Path("/dev/shm")
SPAWN = multiprocessing.get_context("spawn")
End: TypeAlias = "Connection[bool, bool]"  # one end of a pipe
STOP_SECONDS = 4.5  # processes that have not stopped by then are killed
BACKOFF_FIRST, BACKOFF_MAXIMUM = 0.5, 10.0  # seconds until a replacement that could not start is tried again


class Worker:
    """One process. `started` gets a message once it listens. It stops when `leash` is closed, by whatever cause."""

    def __init__(self, bound: socket.socket, log_level: str, number: int, metrics_folder: str) -> None:
        self.listens = False
        self.number, self._metrics_folder = number, metrics_folder
        self.started, start_end = SPAWN.Pipe(duplex=False)
        leash_end, self.leash = SPAWN.Pipe(duplex=False)
        self.process = SPAWN.Process(target=_work, args=(bound, log_level, start_end, leash_end))
        # The metrics are made while modules are imported, before `_work` is called.
        with environment({metrics.FOLDER: metrics_folder, metrics.NUMBER: str(number)}):
            self.process.start()
        # The new process has its own copies.
        start_end.close()
        leash_end.close()

    def receive(self) -> None:
        with contextlib.suppress(EOFError):
            self.listens = self.started.recv()

    def dispose(self) -> int | None:
        """Wait for the end of the process. Returns its exit status."""
        self.process.join()
        status = self.process.exitcode
        self.started.close()
        self.leash.close()
        self.process.close()
        metrics.forget_process(self._metrics_folder, self.number)
        return status


class Backoff:
    """The seconds until the next attempt: twice as many each time, until `reset`."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self._seconds = BACKOFF_FIRST

    def next(self) -> float:
        seconds, self._seconds = self._seconds, min(2 * self._seconds, BACKOFF_MAXIMUM)
        return seconds


def run(number: int, bound: socket.socket, listening: Callable[[], None], *, log_level: str) -> bool:
    """Serve until Ctrl-C or SIGTERM. False when a process could not start."""
    with _signals() as signalled, metrics_folder() as folder:
        supervisor = Supervisor(number, lambda free: Worker(bound, log_level, free, folder), listening)
        try:
            return supervisor.run(signalled)
        finally:
            bound.close()
            _stop(supervisor.workers)


class Supervisor:
    """Keeps so many processes running.

    A process that cannot start at first ends them all, because another would fail as well. One that cannot start later
    is tried again. `start` is given the least number that no other process has.
    """

    def __init__(self, number: int, start: Callable[[int], Worker], listening: Callable[[], None]) -> None:
        self.workers: list[Worker] = []
        self._number, self._start, self._listening = number, start, listening
        self._complete = False  # whether all have listened at the same time
        self._backoff = Backoff()
        self._due: float | None = None  # when to start those that are missing

    def run(self, signalled: int) -> bool:
        self._fill()
        while True:
            starting = [worker.started for worker in self.workers if not worker.listens]
            seconds = None if self._due is None else max(0.0, self._due - time.monotonic())
            ready = wait([signalled, *starting, *(worker.process.sentinel for worker in self.workers)], seconds)
            if signalled in ready:
                return True
            for worker in list(self.workers):
                if worker.started in ready:
                    self._has_started(worker)
                if worker.process.sentinel in ready and not self._has_ended(worker):
                    return False
            if self._due is not None and time.monotonic() >= self._due:
                self._fill()
            if not self._complete and all(worker.listens for worker in self.workers):
                self._complete = True
                self._listening()

    def _fill(self) -> None:
        self._due = None
        while len(self.workers) < self._number:
            taken = {worker.number for worker in self.workers}
            self.workers.append(self._start(next(free for free in range(self._number) if free not in taken)))

    def _has_started(self, worker: Worker) -> None:
        worker.receive()
        if worker.listens and self._complete:
            log.info("a process serves again")
            self._backoff.reset()

    def _has_ended(self, worker: Worker) -> bool:
        """Plan a replacement. False when there is no use in one."""
        self.workers.remove(worker)
        status = worker.dispose()
        if worker.listens:
            log.warning("a process has ended; another takes its place", status=status)
            self._due = time.monotonic()
        elif not self._complete:
            log.error("a process could not start", status=status)
            return False
        elif self._due is None:  # of several that fail together, the first sets the time
            # The database may be away; the other processes still serve what they can.
            seconds = self._backoff.next()
            log.error("a process could not start; it is tried again", status=status, seconds=seconds)
            self._due = time.monotonic() + seconds
        return True


def _stop(workers: list[Worker]) -> None:
    for worker in workers:
        worker.process.terminate()
    end = time.monotonic() + STOP_SECONDS
    for worker in workers:
        worker.process.join(max(0.0, end - time.monotonic()))
        if worker.process.is_alive():
            worker.process.kill()
        worker.dispose()


def _work(bound: socket.socket, log_level: str, start_end: End, leash_end: End) -> None:
    """The main function of each process."""
    configure(log_level)
    threading.Thread(target=_follow, args=(leash_end,), daemon=True).start()
    server.run(bound, lambda: start_end.send(True), log_level=log_level)


def _follow(leash_end: End) -> None:
    """Stop this process when the supervisor has closed its end of the leash or has ended."""
    with contextlib.suppress(EOFError, OSError):
        leash_end.recv()
    os.kill(os.getpid(), signal.SIGTERM)


@contextmanager
def metrics_folder() -> Iterator[str]:
    """A folder for the processes' metrics, in memory where there is such a folder: a full disk would end a process that
    writes to a file by mmap.
    """
    with tempfile.TemporaryDirectory(prefix="huhang-metrics-", dir=MEMORY if MEMORY.is_dir() else None) as folder:
        yield folder


@contextmanager
def environment(variables: dict[str, str]) -> Iterator[None]:
    """These environment variables, for a process that is started meanwhile."""
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in variables:
            del os.environ[name]


@contextmanager
def _signals() -> Iterator[int]:
    """A file descriptor that becomes readable when this process is told to stop."""
    reading, writing = os.pipe()

    def handle(number: int, frame: object) -> None:
        os.write(writing, b".")

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield reading
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(reading)
        os.close(writing)
