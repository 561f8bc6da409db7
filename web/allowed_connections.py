"""The number of connections that a process may have, by the settings and the files that it may have open."""

import contextlib
import resource
from collections.abc import Callable
from dataclasses import dataclass

from web.proxies import trusted_by
from web.settings import Settings

FILES_WANTED, FILES_KEPT = 65_536, 100  # open files: as many as possible, and those that are not for connections


@dataclass(frozen=True)
class ConnectionLimits:
    """Limits on the connections of a process. Those of trusted proxies are not counted by address."""

    maximum: int = 8_192
    per_address: int = 1_000
    trusted: Callable[[str], bool] = lambda host: False


def connection_limits(settings: Settings) -> ConnectionLimits:
    """The bounds of a process's connections, no more than it may have open files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        with contextlib.suppress(ValueError, OSError):  # some systems have a lower limit than they say
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, FILES_WANTED) if hard > 0 else FILES_WANTED, hard))
            soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    maximum = max(1, min(settings.connections, soft - FILES_KEPT))
    return ConnectionLimits(maximum, settings.connections_per_address, trusted_by(settings.proxies))
