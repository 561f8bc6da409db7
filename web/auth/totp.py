"""Codes from an app (TOTP, RFC 6238): six digits, a new one each 30 seconds."""

import datetime as dt
import unicodedata

import pyotp
from pyotp.exceptions import OTPVerificationError

ISSUER = "Huhang"
WINDOW = 1  # time steps before and after the current one whose codes are accepted too: clocks differ


def new_secret() -> str:
    """A secret of 160 bits in base32."""
    return pyotp.random_base32()


def uri(secret: str, name: str) -> str:
    """The address that an app reads from a QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=ISSUER)


def time_step(secret: str, code: str, now: dt.datetime) -> int | None:
    """The time step that the code belongs to; None if it is wrong. The caller sees to it that none is used twice."""
    code = unicodedata.normalize("NFKC", code).replace(" ", "")
    if not (len(code) == 6 and code.isascii() and code.isdigit()):
        return None
    try:
        return pyotp.TOTP(secret).verify_and_get_timecode(code, for_time=now, valid_window=WINDOW)
    except OTPVerificationError:
        return None
