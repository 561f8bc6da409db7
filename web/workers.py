"""Several processes on one address. Each is a whole server; this one starts them, replaces one that dies, ends them."""

import contextlib
import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from typing import TypeAlias

import structlog

from web import server
from web.logging import configure

log = structlog.get_logger(__name__)

SPAWN = multiprocessing.get_context("spawn")
End: TypeAlias = "Connection[bool, bool]"  # of a pipe
END_SECONDS = 4.5  # for all to end in order; then they are killed
PAUSE_FIRST, PAUSE_MOST = 0.5, 10.0  # seconds before a place is filled again where that has failed


class Worker:
    """One process. `told` says when it listens; it ends by itself when `leash` is dropped, however that comes."""

    def __init__(self, taken: socket.socket, log_level: str) -> None:
        self.listens = False
        self.told, telling = SPAWN.Pipe(duplex=False)
        held, self.leash = SPAWN.Pipe(duplex=False)
        self.process = SPAWN.Process(target=_work, args=(taken, log_level, telling, held))
        self.process.start()
        # Those are the other process's now.
        telling.close()
        held.close()

    def hear(self) -> None:
        with contextlib.suppress(EOFError):
            self.listens = self.told.recv()

    def drop(self) -> int | None:
        """It has ended; its exit status."""
        self.process.join()
        status = self.process.exitcode
        self.told.close()
        self.leash.close()
        self.process.close()
        return status


class Pauses:
    """How long to wait before the next trial: twice as long each time, until one succeeds."""

    def __init__(self) -> None:
        self.over()

    def over(self) -> None:
        self._seconds = PAUSE_FIRST

    def next(self) -> float:
        seconds, self._seconds = self._seconds, min(2 * self._seconds, PAUSE_MOST)
        return seconds


def run(number: int, taken: socket.socket, listening: Callable[[], None], *, log_level: str) -> bool:
    """Serve until told to end, by Ctrl-C or by SIGTERM. Whether all went well."""
    with _signals() as signalled:
        watch = Watch(number, lambda: Worker(taken, log_level), listening)
        try:
            return watch.run(signalled)
        finally:
            taken.close()
            _end(watch.workers)


class Watch:
    """Has so many processes there. What cannot start at first ends all; what cannot later is tried again."""

    def __init__(self, number: int, start: Callable[[], Worker], listening: Callable[[], None]) -> None:
        self.workers: list[Worker] = []
        self._number, self._start, self._listening = number, start, listening
        self._said = False
        self._pauses = Pauses()
        self._due: float | None = None  # when those that are missing are to be started

    def run(self, signalled: int) -> bool:
        self._fill()
        while True:
            silent = [worker.told for worker in self.workers if not worker.listens]
            seconds = None if self._due is None else max(0.0, self._due - time.monotonic())
            ready = wait([signalled, *silent, *(worker.process.sentinel for worker in self.workers)], seconds)
            if signalled in ready:
                return True
            for worker in list(self.workers):
                if worker.told in ready:
                    self._heard(worker)
                if worker.process.sentinel in ready and not self._ended(worker):
                    return False
            if self._due is not None and time.monotonic() >= self._due:
                self._fill()
            if not self._said and all(worker.listens for worker in self.workers):
                self._said = True
                self._listening()

    def _fill(self) -> None:
        self._due = None
        while len(self.workers) < self._number:
            self.workers.append(self._start())

    def _heard(self, worker: Worker) -> None:
        worker.hear()
        if worker.listens and self._said:
            log.info("a process serves again")
            self._pauses.over()

    def _ended(self, worker: Worker) -> bool:
        """Whether there is any use in another."""
        self.workers.remove(worker)
        status = worker.drop()
        if worker.listens:
            log.warning("a process has ended; another takes its place", status=status)
            self._due = time.monotonic()
        elif not self._said:
            # Another would fail at the same.
            log.error("a process could not start", status=status)
            return False
        elif self._due is None:  # of several that fail together, the first says when
            # The database may be away; the others still serve what they can.
            seconds = self._pauses.next()
            log.error("a process could not start; it is tried again", status=status, seconds=seconds)
            self._due = time.monotonic() + seconds
        return True


def _end(workers: list[Worker]) -> None:
    for worker in workers:
        worker.process.terminate()
    end = time.monotonic() + END_SECONDS
    for worker in workers:
        worker.process.join(max(0.0, end - time.monotonic()))
        if worker.process.is_alive():
            worker.process.kill()
        worker.drop()


def _work(taken: socket.socket, log_level: str, telling: End, held: End) -> None:
    """In the process."""
    configure(log_level)
    threading.Thread(target=_follow, args=(held,), daemon=True).start()
    server.run(taken, lambda: telling.send(True), log_level=log_level)


def _follow(held: End) -> None:
    """End when the one who holds the other end has ended."""
    with contextlib.suppress(EOFError, OSError):
        held.recv()
    os.kill(os.getpid(), signal.SIGTERM)


@contextmanager
def _signals() -> Iterator[int]:
    """A file that can be read from as soon as this process is told to end."""
    reading, writing = os.pipe()

    def told(number: int, frame: object) -> None:
        os.write(writing, b".")

    before = {number: signal.signal(number, told) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield reading
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(reading)
        os.close(writing)
