"""Addresses of evidence, signed so that they are good without a token and only for a while."""

import datetime as dt
import hashlib
import hmac
from urllib.parse import urlencode

LIFETIME = dt.timedelta(minutes=10)
STEP = 60  # seconds: addresses given within a minute are the same one, so that browsers keep what they have read
PATH = "/evidence"


class Signer:
    """Makes addresses and knows its own."""

    def __init__(self, secret: str) -> None:
        # A key of its own: a signature is of no use where a token is asked for, nor the other way round.
        self._key = hmac.digest(secret.encode(), b"huhang evidence address", "sha256")

    def url(self, sha256: str, now: dt.datetime) -> str:
        """The path and query under which the bytes can be read, for ten minutes or up to one more."""
        expires = -(-(now + LIFETIME).timestamp() // STEP) * STEP
        return f"{PATH}/{sha256}?{urlencode({'expires': int(expires), 'signature': self._sign(sha256, int(expires))})}"

    def seconds_left(self, sha256: str, expires: str, signature: str, now: dt.datetime) -> int:
        """For how many seconds more the address is good; 0 for one that is over, or is not ours."""
        if not (expires.isascii() and expires.isdigit() and len(expires) <= 12 and signature.isascii()):
            return 0
        if not hmac.compare_digest(self._sign(sha256, int(expires)), signature):
            return 0
        return max(int(expires) - int(now.timestamp()), 0)

    def _sign(self, sha256: str, expires: int) -> str:
        return hmac.new(self._key, f"{sha256} {expires}".encode(), hashlib.sha256).hexdigest()
