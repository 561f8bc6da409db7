"""Passwords: argon2id in threads of its own, and what a new password must not be."""

import asyncio
import re
import secrets
import threading
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from models.reason import Reason
from resolvers.errors import ErrorCode, RequestError

# One hash takes about 150 ms and 32 MiB, more than OWASP's least (19 MiB, 2 passes). So two at once take 64 MiB.
HASHER = PasswordHash((Argon2Hasher(time_cost=4, memory_cost=32_768, parallelism=1),))
# Compared with where no account has the name, so that the time of an answer does not tell. Of a random password.
NOBODY = "$argon2id$v=19$m=32768,t=4,p=1$hjbFrhJO9M+cECxu1D3Cyg$jVjB8SaOyWgesJIQBAugx4gP4j72UQ/j7GXFb2RTZJk"
THREADS, QUEUE_MAXIMUM = 2, 16
MINIMUM = 10  # characters
# No letters or digits that are easily mistaken for each other.
ONE_TIME_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"

Value = TypeVar("Value")

# Words that common passwords of ten and more characters are made of, digits and signs at their ends taken away.
COMMON_WORDS = """
    password passwort passwd passw0rd p@ssword p@ssw0rd pa55word changeme change-me letmein letmeinnow welcome
    welcomeback iloveyou iloveu trustnoone football baseball basketball superman batman princess sunshine monkey dragon
    master shadow michael jennifer starwars whatever computer internet samsung secret topsecret admin administrator root
    rootroot test testtest testing guest user username login manager server default qwerty qwertyuiop qwertyui asdfghjkl
    asdfghjkl; zxcvbnm qazwsx qazwsxedc 1qaz2wsx 1qaz2wsx3edc q1w2e3r4 q1w2e3r4t5 1q2w3e4r 1q2w3e4r5t zaq1zaq1 zaq12wsx
    abc abcd abcde abcdef abcdefg abcdefgh abcdefghi abcdefghij abcdefghijk woaini woaiwojia woaizhongguo zhongguo
    beijing shanghai hangzhou xiaoshan huhang yingji anquan mima nihao wojiushiwo aini taobao weixin alibaba tencent
"""
COMMON = frozenset(COMMON_WORDS.split())
DIGITS = "01234567890"
MOBILE_NUMBER = re.compile(r"(\+?86)?1[3-9]\d{9}")


class Passwords:
    """Hashes passwords and compares them with hashes, two at once. Raises RequestError when too many wait."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, "passwords")
        self._places = threading.Semaphore(THREADS + QUEUE_MAXIMUM)

    async def hash(self, password: str) -> str:
        return await self._run(lambda: HASHER.hash(normal(password)))

    async def verify(self, password: str, password_hash: str | None) -> tuple[bool, str | None]:
        """Whether the password has this hash, and a new hash where the old one was made with less effort.

        Without a hash the answer is False after the same time.
        """
        valid, renewed = await self._run(lambda: HASHER.verify_and_update(normal(password), password_hash or NOBODY))
        return (valid, renewed) if password_hash is not None else (False, None)

    async def _run(self, work: Callable[[], Value]) -> Value:
        if not self._places.acquire(blocking=False):
            raise RequestError(
                ErrorCode.TOO_MANY,
                Reason("SIGN_INS_AT_ONCE", "Too many people are signing in: try again."),
                retry_after=2,
            )
        future = self._threads.submit(work)
        # Not when the caller stops waiting, for a thread does not stop with it.
        future.add_done_callback(lambda _: self._places.release())
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def normal(password: str) -> str:
    """The password in one form, whichever way a keyboard writes it."""
    return unicodedata.normalize("NFKC", password)


def check_strength(password: str, name: str) -> None:
    """Raises RequestError for a password that is too short or that would be guessed early."""
    reason = weakness(normal(password), name)
    if reason is not None:
        raise RequestError(ErrorCode.WEAK_PASSWORD, reason)


def weakness(password: str, name: str) -> Reason | None:
    """Why a password is weak, for the person who chose it."""
    if len(password) < MINIMUM:
        return Reason("PASSWORD_LENGTH", "A password needs at least {minimum} characters.", minimum=MINIMUM)
    folded = password.casefold()
    letters = re.sub(r"^[\W\d_]+|[\W\d_]+$", "", folded)
    if name in (folded, folded[::-1], letters, letters[::-1]):
        return Reason("PASSWORD_IS_NAME", "The password is the name.")
    repeated = folded in (folded * 2)[1:-1]
    if repeated or letters in COMMON or folded in COMMON or _is_row(folded) or MOBILE_NUMBER.fullmatch(folded):
        return Reason("PASSWORD_COMMON", "The password is one of those that are guessed first.")
    return None


def _is_row(password: str) -> bool:
    """Whether it consists of digits in their order, up or down, over and over."""
    up = DIGITS * (len(password) // 10 + 1)
    return password in up or password[::-1] in up


def one_time_password() -> str:
    """A random password to tell somebody, of 79 bits."""
    return "-".join("".join(secrets.choice(ONE_TIME_ALPHABET) for _ in range(4)) for _ in range(4))
