"""Encrypts small values with keys derived from the server's secret."""

import datetime as dt
from base64 import urlsafe_b64encode
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet


class Cipher:
    """Encrypts and authenticates texts (Fernet). The first key encrypts; all of them decrypt."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        fernets = [Fernet(urlsafe_b64encode(key)) for key in keys]
        self._newest, self._all = fernets[0], MultiFernet(fernets)

    def encrypt(self, text: str, now: dt.datetime) -> str:
        return self._newest.encrypt_at_time(text.encode(), int(now.timestamp())).decode()

    def decrypt(self, value: str, now: dt.datetime, *, valid: dt.timedelta | None = None) -> str | None:
        """The text; None for a value that was not encrypted here, or longer ago than `valid`."""
        try:
            if valid is None:
                return self._all.decrypt(value.encode()).decode()
            seconds = int(valid.total_seconds())
            return self._all.decrypt_at_time(value.encode(), seconds, int(now.timestamp())).decode()
        except InvalidToken:
            return None

    def is_current(self, value: str) -> bool:
        """Whether the newest key has encrypted it: if not, it cannot be read any more once the older keys go."""
        try:
            self._newest.decrypt(value.encode())
        except InvalidToken:
            return False
        return True
