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
from web.logs import configure

log = structlog.get_logger(__name__)

SPAWN = multiprocessing.get_context("spawn")
End: TypeAlias = "Connection[bool, bool]"  # of a pipe
END_SECONDS = 4.5  # for all to end in order; then they are killed


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


def run(number: int, taken: socket.socket, listening: Callable[[], None], *, log_level: str) -> bool:
    """Serve until told to end, by Ctrl-C or by SIGTERM. Whether all went well."""
    with _signals() as signalled:
        workers = [Worker(taken, log_level) for _ in range(number)]
        try:
            return _watch(workers, taken, listening, signalled, log_level)
        finally:
            taken.close()
            _end(workers)


def _watch(
    workers: list[Worker], taken: socket.socket, listening: Callable[[], None], signalled: int, log_level: str
) -> bool:
    said = False
    while True:
        silent = [worker.told for worker in workers if not worker.listens]
        ready = wait([signalled, *silent, *(worker.process.sentinel for worker in workers)])
        if signalled in ready:
            return True
        for worker in list(workers):
            if worker.told in ready:
                worker.hear()
            if worker.process.sentinel not in ready:
                continue
            workers.remove(worker)
            status = worker.drop()
            if not worker.listens:
                # Another would fail at the same.
                log.error("a process could not start", status=status)
                return False
            log.warning("a process has ended; another takes its place", status=status)
            workers.append(Worker(taken, log_level))
        if not said and all(worker.listens for worker in workers):
            said = True
            listening()


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
