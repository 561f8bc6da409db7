"""Signed addresses of evidence, which are valid without a token and only for a short time."""

import datetime as dt
import hashlib
import hmac
from urllib.parse import urlencode

LIFETIME = dt.timedelta(minutes=10)
STEP = 60  # seconds. Addresses signed within a minute are equal, so that browsers can cache what they read
PATH = "/evidence"


class Signer:
    """Signs addresses with a key, and checks signatures by it and by older keys."""

    def __init__(self, key: bytes, *old: bytes) -> None:
        self._key, self._keys = key, (key, *old)

    def url(self, sha256: str, now: dt.datetime) -> str:
        """The path and query under which the bytes can be read. They are valid for ten to eleven minutes."""
        expires = -(-(now + LIFETIME).timestamp() // STEP) * STEP
        signature = _sign(self._key, sha256, int(expires))
        return f"{PATH}/{sha256}?{urlencode({'expires': int(expires), 'signature': signature})}"

    def seconds_left(self, sha256: str, expires: str, signature: str, now: dt.datetime) -> int:
        """How many seconds the address is still valid; 0 if it has expired or its signature is wrong."""
        if not (expires.isascii() and expires.isdigit() and len(expires) <= 12 and signature.isascii()):
            return 0
        if not any(hmac.compare_digest(_sign(key, sha256, int(expires)), signature) for key in self._keys):
            return 0
        return max(int(expires) - int(now.timestamp()), 0)


def _sign(key: bytes, sha256: str, expires: int) -> str:
    return hmac.new(key, f"{sha256} {expires}".encode(), hashlib.sha256).hexdigest()
