"""Failures that repeat: the log says each once and then once a minute, and all are counted."""

import errno

import structlog

from models.failures import LOG_SECONDS, FailureLog


def caught() -> OSError:
    """An error with a traceback and a message that the log must not have."""
    try:
        raise OSError(errno.ENOSPC, "张伟 13800000000")
    except OSError as error:
        return error


def test_each_failure_is_logged_once_a_minute_and_counted_always() -> None:
    now = 1_000.0
    failures = FailureLog(lambda: now)
    with structlog.testing.capture_logs() as logs:
        for _ in range(3):
            failures.note("the log cannot be read", caught())
        failures.note("the log cannot be read", ValueError())
        failures.note("not ready", caught(), check="write")
        now += LOG_SECONDS
        failures.note("the log cannot be read", caught())
        failures.forget()
        failures.note("the log cannot be read", caught())
    summary = [(entry["event"], entry["error"], entry.get("state"), entry.get("more")) for entry in logs]
    assert summary == [
        ("the log cannot be read", "OSError", "ENOSPC", None),
        ("the log cannot be read", "ValueError", None, None),
        ("not ready", "OSError", "ENOSPC", None),
        ("the log cannot be read", "OSError", "ENOSPC", 2),
        ("the log cannot be read", "OSError", "ENOSPC", None),
    ]
    assert logs[0]["where"] == [f"test_failures.py:{caught.__code__.co_firstlineno + 3} caught"]
    assert "张伟" not in str(logs)
    assert failures.counts == {"ENOSPC": 6, "ValueError": 1}
