"""A process notices when it may open no further file, and says when few are left."""

import os
import resource
from collections.abc import Iterator

import pytest
import structlog

from models.failures import FAILURES
from web.open_files import OpenFiles


@pytest.fixture
def limit() -> Iterator[int]:
    """This process may open one file more than it has open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    FAILURES.forget()
    # The lowest number that is free, and nothing but it.
    number = os.open(os.devnull, os.O_RDONLY)
    os.close(number)
    resource.setrlimit(resource.RLIMIT_NOFILE, (number + 1, hard))
    yield number
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_few_files_left_and_none_are_logged_once(limit: int) -> None:
    files = OpenFiles()
    before = FAILURES.counts["EMFILE"]
    with structlog.testing.capture_logs() as logs:
        for _ in range(2):
            files.look()
        last = os.open(os.devnull, os.O_RDONLY)
        for _ in range(2):
            files.look()
        os.close(last)
    events = [(entry["event"], entry.get("files"), entry.get("state")) for entry in logs]
    assert events == [
        ("nearly all files that may be open are open", limit, None),
        ("no further file can be opened, and new connections are dropped", None, "EMFILE"),
    ]
    assert FAILURES.counts["EMFILE"] == before + 2
