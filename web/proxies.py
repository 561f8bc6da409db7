"""Proxies in front of the server, whose word about a client's address counts."""

import ipaddress
from collections.abc import Callable
from functools import lru_cache

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def networks(proxies: str) -> list[Network]:
    """Addresses and networks, separated by commas. Raises ValueError for anything else."""
    return [ipaddress.ip_network(part.strip()) for part in proxies.split(",") if part.strip()]


def trusted_by(proxies: str) -> Callable[[str], bool]:
    """Whether an address is one of the proxies."""
    known = networks(proxies)

    @lru_cache(maxsize=4_096)
    def trusted(host: str) -> bool:
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        return any(address in network for network in known)

    return trusted
