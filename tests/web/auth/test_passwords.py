"""Passwords are hashed in threads, a bounded number at once, and weak ones are refused."""

import asyncio
import threading
from unittest.mock import patch

import pytest

from resolvers.errors import ErrorCode, RequestError
from tests.support.people import QUICK
from web.auth import passwords
from web.auth.passwords import HASHER, NOBODY, QUEUE_MAXIMUM, THREADS, Passwords, check_strength, one_time_password

WEAK = [
    "",
    "123456789",
    "1234567890",
    "0987654321",
    "12345678901234567890",
    "aaaaaaaaaaaa",
    "abcabcabcabc",
    "1212121212",
    "password123",
    "Password1!",
    "PASSWORD2026",
    "passw0rd!!",
    "p@ssw0rd123",
    "qwertyuiop",
    "1qaz2wsx3edc",
    "admin123456",
    "huhang2026!",
    "woaini1314520",
    "13800138000",
    "8613800138000",
    "zhang.wei1",
    "2026zhang.wei",
    "iew.gnahz12",
    "ｐａｓｓｗｏｒｄ１２３",
]
STRONG = [
    "correct horse battery staple",
    "护航亚运会二零二六年",
    "xK9#mQ2$vL",
    "zhang.wei likes noodles",
    "mountain-password-river",
    "20260615 zweiundzwanzig",
]


@pytest.mark.parametrize("password", WEAK)
def test_passwords_that_are_guessed_first_are_refused(password: str) -> None:
    with pytest.raises(RequestError) as refused:
        check_strength(password, "zhang.wei")
    assert refused.value.code is ErrorCode.WEAK_PASSWORD
    assert not password or password not in refused.value.reason


@pytest.mark.parametrize("password", STRONG)
def test_other_passwords_are_accepted_without_rules_of_composition(password: str) -> None:
    check_strength(password, "zhang.wei")


def test_one_time_passwords_are_strong_and_differ() -> None:
    made = {one_time_password() for _ in range(1000)}
    assert len(made) == 1000
    for password in made:
        check_strength(password, "zhang.wei")
        assert not set("01iloIO") & set(password)


async def test_it_is_argon2id_with_a_random_salt() -> None:
    hashing = Passwords()
    first, second = await asyncio.gather(hashing.hash("a password"), hashing.hash("a password"))
    assert first != second
    assert first.startswith("$argon2id$v=19$m=32768,t=4,p=1$")
    assert await hashing.verify("a password", first) == (True, None)
    assert await hashing.verify("another", first) == (False, None)
    hashing.close()


def test_the_hash_of_nobody_takes_as_long_as_any_other() -> None:
    assert not HASHER.hashers[0].check_needs_rehash(NOBODY)


async def test_a_password_is_the_same_on_every_keyboard() -> None:
    with patch.object(passwords, "HASHER", QUICK):
        hashing = Passwords()
        composed, decomposed = "Kennwörter sind", "Kennwo\u0308rter sind"
        assert composed != decomposed
        assert (await hashing.verify(decomposed, await hashing.hash(composed)))[0]
        hashing.close()


async def test_no_hash_belongs_to_no_password() -> None:
    with patch.object(passwords, "HASHER", QUICK):
        hashing = Passwords()
        assert await hashing.verify("", None) == (False, None)
        hashing.close()


async def test_two_are_hashed_at_once_and_only_so_many_wait() -> None:
    hashing, gate, running, most = Passwords(), threading.Event(), 0, 0
    lock = threading.Lock()

    def work() -> None:
        nonlocal running, most
        with lock:
            running, most = running + 1, max(most, running + 1)
        gate.wait()
        with lock:
            running -= 1

    waiting = [asyncio.ensure_future(hashing._run(work)) for _ in range(THREADS + QUEUE_MAXIMUM)]
    await asyncio.sleep(0)
    with pytest.raises(RequestError) as refused:
        await hashing._run(work)
    assert (refused.value.code, refused.value.retry_after) == (ErrorCode.TOO_MANY, 2)
    # Whoever gives up makes room only when their hash is done or will not begin.
    waiting[-1].cancel()
    gate.set()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert most == THREADS
    await hashing._run(lambda: None)
    hashing.close()
