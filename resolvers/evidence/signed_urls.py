"""Signed addresses of evidence, which are valid without a token and only for a short time."""

import datetime as dt
import hashlib
import hmac
from urllib.parse import urlencode

LIFETIME = dt.timedelta(minutes=10)
STEP = 60  # seconds. Addresses signed within a minute are equal, so that browsers can cache what they read
PATH = "/evidence"


class Signer:
    """Signs addresses, and checks the signatures."""

    def __init__(self, secret: str) -> None:
        # A derived key, so that a signature can never pass for a token, nor a token for a signature.
        self._key = hmac.digest(secret.encode(), b"huhang evidence address", "sha256")

    def url(self, sha256: str, now: dt.datetime) -> str:
        """The path and query under which the bytes can be read. They are valid for ten to eleven minutes."""
        expires = -(-(now + LIFETIME).timestamp() // STEP) * STEP
        return f"{PATH}/{sha256}?{urlencode({'expires': int(expires), 'signature': self._sign(sha256, int(expires))})}"

    def seconds_left(self, sha256: str, expires: str, signature: str, now: dt.datetime) -> int:
        """How many seconds the address is still valid; 0 if it has expired or its signature is wrong."""
        if not (expires.isascii() and expires.isdigit() and len(expires) <= 12 and signature.isascii()):
            return 0
        if not hmac.compare_digest(self._sign(sha256, int(expires)), signature):
            return 0
        return max(int(expires) - int(now.timestamp()), 0)

    def _sign(self, sha256: str, expires: int) -> str:
        return hmac.new(self._key, f"{sha256} {expires}".encode(), hashlib.sha256).hexdigest()
