"""The metrics of this process, for Prometheus. docs/reference/metrics.md lists them.

The processes of `serve --workers` count in files of one folder, which prometheus-client adds up (its multiprocess mode;
prometheus.github.io/client_python/multiprocess). Each has a number, and one that takes a dead one's place has the same:
it goes on with the counters in the dead one's files, so that no sum ever falls.
"""

import os
from bisect import bisect_left
from functools import partial

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
    multiprocess,
    values,
)

FOLDER, NUMBER = "PROMETHEUS_MULTIPROC_DIR", "HUHANG_PROCESS"  # environment variables of one process of several

if (number := os.environ.get(NUMBER)) is not None:
    own_number = number
    # Before any metric is made.
    values.ValueClass = values.MultiProcessValue(lambda: own_number)

disable_created_metrics()
REGISTRY = CollectorRegistry()
counter, histogram = partial(Counter, registry=REGISTRY), partial(Histogram, registry=REGISTRY)
# How the values of several processes become one: their sum, or the worst. That of a dead one no longer counts.
total = partial(Gauge, registry=REGISTRY, multiprocess_mode="livesum")
greatest = partial(Gauge, registry=REGISTRY, multiprocess_mode="livemax")
least = partial(Gauge, registry=REGISTRY, multiprocess_mode="livemin")

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
DELAYS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0)

# -- operations --

OPERATIONS = histogram(
    "huhang_operation_seconds",
    "Time that operations took, their waits for a turn included; of a subscription until it had begun.",
    ["operation", "kind", "outcome"],
    buckets=SECONDS,
)
MUTATIONS = counter("huhang_mutations", "Mutations that were performed, by name and result.", ["mutation", "outcome"])
ERRORS = counter("huhang_errors", "Errors that clients got, by code.", ["code"])
PLANS_SERVED = counter("huhang_plans_served", "Operations answered by plan.")
PLANS_LEFT = counter("huhang_plans_left", "Operations left to graphql-core, by reason.", ["reason"])
REFUSED = counter("huhang_refused", "Requests and connections that were refused or cut, by reason.", ["reason"])
REFUSED_TOKENS = counter("huhang_refused_tokens", "Tokens and cookies that were refused, by reason.", ["reason"])
WAITING = total("huhang_waiting", "Operations that wait for their turn.")

# -- live --

SOCKETS = total("huhang_sockets", "Open WebSockets.")
SOCKETS_CLOSED = counter("huhang_sockets_closed", "WebSockets that the server closed, by code.", ["code"])
STREAMS = total("huhang_streams", "Open HTTP streams.")
SUBSCRIPTIONS = total("huhang_subscriptions", "Subscriptions on sockets and streams.")
GROUPS = total("huhang_groups", "Groups of subscribers who share each execution, by what they follow.", ["of"])
FEED_LAG = greatest("huhang_feed_lag_seconds", "Time since the feed was last at the end of the log.")
LISTENING = least(
    "huhang_notifier_listening", "1 while commits of other processes are noticed at once, 0 while within a second."
)
LAST_EVENT = greatest(
    "huhang_last_event_timestamp_seconds", "Unix time of the last event in the log; 0 if it has none."
)

# -- the database --

POOL_SIZE = total("huhang_pool_size", "Connections to the database that there may be, by pool.", ["pool"])
POOL_IN_USE = total("huhang_pool_in_use", "Connections to the database in use, by pool.", ["pool"])
POOL_WAITING = total("huhang_pool_waiting", "Reads and transactions that wait for a connection, by pool.", ["pool"])
LOCK_WAIT = histogram(
    "huhang_lock_wait_seconds", "Waits of writers for each other, by lock.", ["lock"], buckets=SECONDS
)
FAILURES = counter("huhang_failures", "Failures of the database and of files, by the error's name.", ["name"])
ACCESSES_WRITTEN = counter("huhang_accesses_written", "Accesses to personal data that were written.")
ACCESSES_DROPPED = counter(
    "huhang_accesses_dropped", "Accesses to personal data that could not be kept: too many waited."
)
ACCESSES_PENDING = total("huhang_accesses_pending", "Accesses to personal data that wait to be written.")

# -- the process --

LOOP_DELAY = histogram(
    "huhang_loop_delay_seconds", "How much later than planned the event loop came to a task.", buckets=DELAYS
)
LOOP_DELAY_MAX = greatest("huhang_loop_delay_max_seconds", "The greatest of these delays in the last minute.")
OPEN_FILES = greatest("huhang_open_files", "Open files of the process, or of the one of several that has most.")
OPEN_FILES_LIMIT = least("huhang_open_files_limit", "Open files that a process may have.")
CPU = counter("huhang_cpu_seconds", "CPU time of the processes.")
MEMORY = total("huhang_memory_bytes", "Resident memory of the processes.")
CACHE_BYTES = total("huhang_cache_bytes", "Memory of the caches, by cache.", ["cache"])
CACHE_ENTRIES = total("huhang_cache_entries", "Entries of the caches, by cache.", ["cache"])
CACHE_EVICTIONS = counter("huhang_cache_evictions", "Entries that had to go for others, by cache.", ["cache"])
PROCESSES = total("huhang_processes", "Processes of this server.")
READY = Gauge(
    "huhang_ready",
    "1 where a check of /readyz succeeds, else 0.",
    ["check"],
    registry=REGISTRY,
    multiprocess_mode="livemostrecent",  # only the process that was asked has checked now
)
BUILD = greatest("huhang_build_info", "1, with the version and the build that runs.", ["version", "build"])


class Durations:
    """Observations of one histogram by SECONDS. To `observe` here takes a fifth of the time of the histogram's own."""

    __slots__ = ("_counts", "_histogram", "_sum")

    def __init__(self, histogram: Histogram) -> None:
        self._histogram = histogram
        self._counts, self._sum = [0] * (len(SECONDS) + 1), 0.0

    def observe(self, seconds: float) -> None:
        self._counts[bisect_left(SECONDS, seconds)] += 1
        self._sum += seconds

    def carry(self) -> None:
        """Hand what was observed over to the histogram."""
        # tests/models/test_metrics.py holds the names of prometheus-client that are not documented.
        for bucket, count in zip(self._histogram._buckets, self._counts, strict=True):
            if count:
                bucket.inc(count)
        if self._sum:
            self._histogram._sum.inc(self._sum)
        self._counts, self._sum = [0] * (len(SECONDS) + 1), 0.0


def exposition() -> bytes:
    """All metrics in Prometheus's text format, those of the other processes of this server included."""
    if NUMBER not in os.environ:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)
    return generate_latest(registry)


def forget_process(folder: str, number: int) -> None:
    """Forget what the process of this number held when it died. What it counted stays."""
    multiprocess.mark_process_dead(number, folder)
