"""Guessing is slowed down, TOTP codes work once, and the first account is made once."""

import asyncio
from collections.abc import AsyncIterator

import pyotp
import pytest
import pytest_asyncio
import sqlalchemy as sa
from pydantic import SecretStr

from models import Account
from models.db.tables import table_of
from tests.conftest import Databases
from tests.support.people import PASSWORD, Bureau, bureau_of, code
from tests.web.conftest import SECRET
from web.auth.cipher import Cipher
from web.auth.keys import Purpose, Secrets


@pytest_asyncio.fixture
async def bureau(databases: Databases, migrated_url: str) -> AsyncIterator[Bureau]:
    async with bureau_of(databases, migrated_url) as bureau:
        yield bureau


# -- slowing down --


async def test_delays_double_up_to_a_minute(bureau: Bureau) -> None:
    await bureau.add("zhang.wei")
    waits = []
    for _ in range(11):
        response = await bureau.sign_in("zhang.wei", "guess")
        if response.status_code == 429:
            waits.append(response.json()["errors"][0]["extensions"]["retryAfter"])
            bureau.clock.pass_time(seconds=waits[-1])
            response = await bureau.sign_in("zhang.wei", "guess")
        assert code(response) == "BAD_CREDENTIALS"
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    bureau.clock.pass_time(seconds=60)
    assert (await bureau.sign_in("zhang.wei")).status_code == 200


async def test_many_guesses_at_once_count_as_many(bureau: Bureau) -> None:
    await bureau.add("zhang.wei")
    answers = await asyncio.gather(*(bureau.sign_in("zhang.wei", f"guess {n}") for n in range(20)))
    assert sorted(code(answer) for answer in answers).count("BAD_CREDENTIALS") == 3


async def test_names_without_an_account_are_slowed_the_same(bureau: Bureau) -> None:
    codes = [code(await bureau.sign_in("nobody", "guess")) for _ in range(4)]
    assert codes == ["BAD_CREDENTIALS"] * 3 + ["TOO_MANY"]


async def test_one_address_is_slowed_for_all_names(bureau: Bureau) -> None:
    codes = [code(await bureau.sign_in(f"name{n}", "guess")) for n in range(11)]
    assert codes == ["BAD_CREDENTIALS"] * 10 + ["TOO_MANY"]


# -- TOTP --


async def enrol(bureau: Bureau) -> pyotp.TOTP:
    """Sign in, and enrol with the code of the present; the next code is valid from then on."""
    await bureau.add("zhang.wei")
    await bureau.sign_in("zhang.wei")
    proposed = (await bureau.browser.post("/auth/totp", json={"password": PASSWORD})).json()
    app = pyotp.parse_uri(proposed["uri"])
    assert isinstance(app, pyotp.TOTP)
    assert (app.secret, app.issuer, app.name) == (proposed["secret"], "Huhang", "zhang.wei")
    response = await bureau.browser.post("/auth/totp/confirm", json={"code": app.at(bureau.clock())})
    assert response.status_code == 204
    return app


async def test_with_totp_a_sign_in_needs_a_code(bureau: Bureau) -> None:
    app = await enrol(bureau)
    response = await bureau.sign_in("zhang.wei")
    assert (response.status_code, code(response)) == (401, "CODE_NEEDED")
    assert code(await bureau.sign_in("zhang.wei", code="000000")) == "BAD_CODE"
    bureau.clock.pass_time(seconds=30)
    signed_in = await bureau.sign_in("zhang.wei", code=app.at(bureau.clock()))
    assert signed_in.json()["viewer"]["totp"]


async def test_without_the_password_a_code_is_not_asked_for(bureau: Bureau) -> None:
    app = await enrol(bureau)
    assert code(await bureau.sign_in("zhang.wei", "guess", code=app.at(bureau.clock()))) == "BAD_CREDENTIALS"


@pytest.mark.parametrize(("steps", "accepted"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
async def test_codes_of_the_neighbouring_steps_are_accepted(bureau: Bureau, steps: int, accepted: bool) -> None:
    app = await enrol(bureau)
    bureau.clock.pass_time(minutes=10)
    response = await bureau.sign_in("zhang.wei", code=app.at(bureau.clock(), counter_offset=steps))
    assert (response.status_code == 200) is accepted


async def test_no_code_works_twice(bureau: Bureau) -> None:
    app = await enrol(bureau)
    assert code(await bureau.sign_in("zhang.wei", code=app.at(bureau.clock()))) == "BAD_CODE"
    bureau.clock.pass_time(seconds=30)
    now = app.at(bureau.clock())
    answers = await asyncio.gather(*(bureau.sign_in("zhang.wei", code=now) for _ in range(2)))
    assert sorted(answer.status_code for answer in answers) == [200, 401]


async def test_guessing_codes_is_slowed_down(bureau: Bureau) -> None:
    await enrol(bureau)
    codes = [code(await bureau.sign_in("zhang.wei", code=f"00000{n}")) for n in range(4)]
    assert codes == ["BAD_CODE"] * 3 + ["TOO_MANY"]


async def test_an_unconfirmed_secret_does_not_count(bureau: Bureau) -> None:
    await bureau.add("zhang.wei")
    await bureau.sign_in("zhang.wei")
    await bureau.browser.post("/auth/totp", json={"password": PASSWORD})
    assert code(await bureau.browser.post("/auth/totp/confirm", json={"code": "000000"})) == "BAD_CODE"
    assert (await bureau.sign_in("zhang.wei")).status_code == 200


async def test_totp_is_removed_with_the_password(bureau: Bureau) -> None:
    await enrol(bureau)
    assert code(await bureau.browser.request("DELETE", "/auth/totp", json={"password": "no"})) == "BAD_CREDENTIALS"
    assert code(await bureau.browser.post("/auth/totp", json={"password": PASSWORD})) == "BAD_INPUT"
    response = await bureau.browser.request("DELETE", "/auth/totp", json={"password": PASSWORD})
    assert response.status_code == 204
    assert (await bureau.sign_in("zhang.wei")).status_code == 200


async def test_the_secret_of_totp_is_kept_encrypted(bureau: Bureau) -> None:
    app = await enrol(bureau)
    async with bureau.database.read() as connection:
        kept = (await connection.execute(sa.select(table_of(Account).c.totp_secret))).scalar()
    assert kept is not None
    assert app.secret not in kept
    cipher = Cipher(Secrets(SECRET.get_secret_value()).keys(Purpose.ACCOUNTS))
    assert cipher.decrypt(kept, bureau.clock()) == app.secret


# -- the first account --


def setup_key(bureau: Bureau) -> str:
    return Cipher(Secrets(SECRET.get_secret_value()).keys(Purpose.ACCOUNTS)).encrypt("setup", bureau.clock())


async def test_the_first_account_is_made_once(bureau: Bureau) -> None:
    assert (await bureau.browser.get("/auth/session")).json()["setup"]
    body = {"key": setup_key(bureau), "name": "Zhang.Wei", "fullName": "张伟", "password": PASSWORD}
    response = await bureau.browser.post("/auth/setup", json=body)
    assert response.status_code == 200
    viewer = response.json()["viewer"]
    assert (viewer["name"], viewer["fullName"], viewer["role"]) == ("zhang.wei", "张伟", "COMMANDER")
    assert not response.json()["setup"]
    assert (await bureau.browser.get("/auth/session")).json()["viewer"] == viewer
    again = await bureau.browser.post("/auth/setup", json={**body, "name": "li.na"})
    assert (again.status_code, code(again)) == (403, "FORBIDDEN")


async def test_of_several_first_accounts_at_once_one_is_made(bureau: Bureau) -> None:
    body = {"key": setup_key(bureau), "password": PASSWORD}
    answers = await asyncio.gather(
        *(bureau.browser.post("/auth/setup", json={**body, "name": f"name{n}"}) for n in range(5))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 403, 403, 403, 403]


async def test_the_key_of_the_first_account_lasts_an_hour(bureau: Bureau) -> None:
    body = {"key": setup_key(bureau), "name": "zhang.wei", "password": PASSWORD}
    bureau.clock.pass_time(hours=1, seconds=1)
    assert code(await bureau.browser.post("/auth/setup", json=body)) == "FORBIDDEN"
    assert code(await bureau.browser.post("/auth/setup", json={**body, "key": "invented"})) == "FORBIDDEN"


async def test_a_weak_password_makes_no_first_account(bureau: Bureau) -> None:
    body = {"key": setup_key(bureau), "name": "zhang.wei", "password": "zhang.wei2026"}
    assert code(await bureau.browser.post("/auth/setup", json=body)) == "WEAK_PASSWORD"
    assert (await bureau.browser.get("/auth/session")).json()["setup"]


async def test_a_demo_has_no_first_account(databases: Databases, migrated_url: str) -> None:
    async with bureau_of(databases, migrated_url, demo=True) as bureau:
        assert not (await bureau.browser.get("/auth/session")).json()["setup"]


# -- after a change of the server's secret --


async def test_totp_outlives_the_secret_that_encrypted_it(databases: Databases, migrated_url: str) -> None:
    former, secrets = "a former secret of the tests, of no use elsewhere", SECRET.get_secret_value()
    async with bureau_of(databases, migrated_url, old_secrets=SecretStr(former)) as bureau:
        await bureau.add("zhang.wei")
        app = pyotp.TOTP(pyotp.random_base32())
        encrypted = Cipher(Secrets(former).keys(Purpose.ACCOUNTS)).encrypt(app.secret, bureau.clock())
        account = table_of(Account)
        async with bureau.database.write() as session:
            await session.execute(sa.update(account).values(totp_secret=encrypted, totp_confirmed_at=bureau.clock()))
        assert (await bureau.sign_in("zhang.wei", code=app.at(bureau.clock()))).status_code == 200
        async with bureau.database.read() as connection:
            kept = (await connection.execute(sa.select(account.c.totp_secret))).scalar()
    assert kept is not None
    assert Cipher(Secrets(secrets).keys(Purpose.ACCOUNTS)).decrypt(kept, bureau.clock()) == app.secret
