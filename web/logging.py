"""Logs: one JSON object a line on standard error, or coloured lines on a terminal."""

import logging
import sys

import structlog

from models.failures import origin
from models.request_record import CURRENT


def configure(level: str) -> None:
    """Log Huhang's messages from this level on, and those of its libraries from warning on."""
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        with_request,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: structlog.types.Processor = structlog.processors.JSONRenderer()
    if sys.stderr.isatty():
        renderer = structlog.dev.ConsoleRenderer()
    threshold = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared, without_values],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    # Below warning the libraries log what they handle: SQL with its parameters, addresses, headers, tokens. So a lower
    # level is for Huhang's own messages only.
    logging.basicConfig(handlers=[handler], level=max(threshold, logging.WARNING), force=True)


def with_request(logger: object, name: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
    """The event with the id of the request under way, if there is one."""
    if (record := CURRENT.get()) is not None:
        event["request"] = record.id
    return event


def without_values(logger: object, name: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
    """A library's error with its kind and where it arose, without its message, which may hold a row's values."""
    info = event.pop("exc_info", None)
    if isinstance(info, tuple) and info[1] is not None:
        event["error"], event["where"] = type(info[1]).__name__, origin(info[1])
    return event
