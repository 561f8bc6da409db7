"""Signing in with name, password and TOTP code, and the one-time address that makes the first account."""

import datetime as dt
from collections.abc import Callable

from models import Account, Role
from models.db.database import Database
from models.reason import Reason
from resolvers.accounts import own, records
from resolvers.accounts.audit import Actor, account_actor
from resolvers.accounts.logins import Client, CurrentLogin
from resolvers.accounts.sign_in_delays import Attempt, begin_attempt, take_back
from resolvers.errors import ErrorCode, RequestError
from web.auth import totp
from web.auth.cipher import Cipher
from web.auth.passwords import Passwords, check_strength, one_time_password

# One message for every reason, so that nobody learns which names have accounts.
BAD_CREDENTIALS = Reason("BAD_CREDENTIALS", "Name or password is wrong.")
SETUP_VALID = dt.timedelta(hours=1)
SETUP = "setup"


class PasswordSignIn:
    """Checks passwords and TOTP codes. An attempt counts as a failure until it has succeeded."""

    def __init__(
        self, database: Database, passwords: Passwords, cipher: Cipher, clock: Callable[[], dt.datetime]
    ) -> None:
        self._database, self._passwords, self._cipher, self._clock = database, passwords, cipher, clock

    async def sign_in(self, name: str, password: str, code: str | None, client: Client) -> str:
        """Start a login; returns the secret for its cookie. Raises RequestError."""
        now, folded = self._clock(), _folded(name)
        attempt = await begin_attempt(self._database, folded, client.address, now)
        account = await records.find_account_by_name(self._database, folded)
        usable = account if account is not None and account.disabled_at is None else None
        better_hash = await self._check_password(usable, account, password, client, attempt)
        assert usable is not None
        step = await self._check_code(usable, code, client, attempt)
        renewed = {} if better_hash is None else {"password_hash": better_hash}
        renewed |= self._renewed_totp(usable, now)
        how = "password" if step is None else "password and TOTP"
        signed_in = own.SignIn(usable.id, client, how, attempt, step, renewed)
        return await own.complete_sign_in(self._database, signed_in, now)

    async def _check_password(
        self, usable: Account | None, account: Account | None, password: str, client: Client, attempt: Attempt
    ) -> str | None:
        """A better hash, if there is one. Raises RequestError when the password is wrong."""
        try:
            password_hash = None if usable is None else usable.password_hash
            valid, renewed = await self._passwords.verify(password, password_hash)
        except RequestError:  # too many at once, which was not this person's fault
            await self._take_back(attempt)
            raise
        if not valid:
            account_id = None if account is None else account.id
            await own.fail_sign_in(self._database, account_id, client.address, self._clock(), "password")
            raise RequestError(ErrorCode.BAD_CREDENTIALS, BAD_CREDENTIALS)
        return renewed

    async def _check_code(self, account: Account, code: str | None, client: Client, attempt: Attempt) -> int | None:
        """The time step of the code; None for an account without TOTP. Raises RequestError."""
        if account.totp_confirmed_at is None:
            return None
        if code is None:
            await self._take_back(attempt)
            raise RequestError(
                ErrorCode.CODE_NEEDED, Reason("TOTP_NEEDED", "This account has TOTP: send its code too.")
            )
        now = self._clock()
        secret = self._cipher.decrypt(account.totp_secret or "", now)
        step = None if secret is None else totp.time_step(secret, code, now)
        if step is None or (account.totp_last_step is not None and step <= account.totp_last_step):
            await own.fail_sign_in(self._database, account.id, client.address, now, "TOTP")
            raise RequestError(ErrorCode.BAD_CODE, own.WRONG_CODE)
        return step

    def _renewed_totp(self, account: Account, now: dt.datetime) -> dict[str, str]:
        """The TOTP secret under the newest key, if it is under an older one."""
        kept = account.totp_secret
        if kept is None or self._cipher.is_current(kept):
            return {}
        secret = self._cipher.decrypt(kept, now)
        return {} if secret is None else {"totp_secret": self._cipher.encrypt(secret, now)}

    async def _take_back(self, attempt: Attempt, *, forget_name: bool = False) -> None:
        async with self._database.write() as session:
            await take_back(session, attempt, self._clock(), forget_name=forget_name)

    async def confirm(self, login: CurrentLogin, password: str, client: Client) -> Account:
        """The account of a person who proves again that they know its password. Raises RequestError."""
        attempt = await begin_attempt(self._database, login.name, client.address, self._clock())
        account = await records.find_account(self._database, login.account_id)
        await self._check_password(account, account, password, client, attempt)
        await self._take_back(attempt, forget_name=True)
        assert account is not None
        return account

    async def change_password(self, login: CurrentLogin, current: str, new: str, client: Client) -> str:
        """Sign out everywhere and start a new login, whose secret this returns. Raises RequestError."""
        await self.confirm(login, current, client)
        check_strength(new, login.name)
        if new == current:
            raise RequestError(
                ErrorCode.WEAK_PASSWORD, Reason("PASSWORD_UNCHANGED", "The new password is the old one.")
            )
        password_hash = await self._passwords.hash(new)
        return await own.change_password(self._database, login.account_id, password_hash, client, self._clock())

    # -- TOTP --

    async def propose_totp(self, login: CurrentLogin, password: str, client: Client) -> str:
        """A new secret for the person's app. It counts once `confirm_totp` has had a code. Raises RequestError."""
        await self.confirm(login, password, client)
        secret = totp.new_secret()
        await own.propose_totp(self._database, login.account_id, self._cipher.encrypt(secret, self._clock()))
        return secret

    async def confirm_totp(self, login: CurrentLogin, code: str, client: Client) -> None:
        """Raises RequestError for a wrong code, or when no secret was proposed."""
        now = self._clock()
        attempt = await begin_attempt(self._database, login.name, client.address, now)
        account = await records.find_account(self._database, login.account_id)
        encrypted = None if account is None else account.totp_secret
        secret = None if encrypted is None else self._cipher.decrypt(encrypted, now)
        step = None if secret is None else totp.time_step(secret, code, now)
        if encrypted is None or step is None:
            raise RequestError(ErrorCode.BAD_CODE, own.WRONG_CODE)
        actor = account_actor(login.account_id, client.address)
        await own.confirm_totp(self._database, login.account_id, login.id, encrypted, step, actor, now)
        await self._take_back(attempt, forget_name=True)

    async def remove_totp(self, login: CurrentLogin, password: str, client: Client) -> None:
        await self.confirm(login, password, client)
        actor = account_actor(login.account_id, client.address)
        await own.remove_totp(self._database, login.account_id, actor, self._clock())

    # -- accounts --

    async def create(self, new: records.NewAccount, password: str | None, actor: Actor) -> tuple[Account, str | None]:
        """Make an account; without a password it gets a one-time password, which this returns. Raises RequestError."""
        one_time = one_time_password() if password is None else None
        if password is not None:
            check_strength(password, new.name)
        password_hash = await self._passwords.hash(password or one_time or "")
        whole = _with_password(new, password_hash, must_change=one_time is not None)
        return await records.create_account(self._database, whole, actor, self._clock()), one_time

    async def reset(self, account_id: int, actor: Actor) -> str:
        """A one-time password for an account, which loses its TOTP and is signed out. Raises RequestError."""
        one_time = one_time_password()
        password_hash = await self._passwords.hash(one_time)
        await records.reset_account(self._database, account_id, password_hash, actor, self._clock())
        return one_time

    async def set_password(self, account: Account, password: str, actor: Actor) -> None:
        """Give an account a password that stays. Raises RequestError."""
        check_strength(password, account.name)
        password_hash = await self._passwords.hash(password)
        now = self._clock()
        await records.reset_account(self._database, account.id, password_hash, actor, now, one_time=False)

    async def set_up(self, key: str, name: str, full_name: str, password: str, client: Client) -> str:
        """Make the first account, a commander, and sign in; returns the secret for the cookie. Raises RequestError."""
        now = self._clock()
        if self._cipher.decrypt(key, now, valid=SETUP_VALID) != SETUP:
            raise RequestError(
                ErrorCode.FORBIDDEN,
                Reason("SETUP_EXPIRED", "This address has expired: restart the server for a new one."),
            )
        new = records.NewAccount(
            name=records.fold_name(name),
            full_name=records.check_full_name(full_name),
            role=records.AccountRole(kind=Role.COMMANDER),
        )
        check_strength(password, new.name)
        whole = _with_password(new, await self._passwords.hash(password), must_change=False)
        account = await records.create_first_account(self._database, whole, Actor(SETUP, client.address), now)
        if account is None:
            raise RequestError(ErrorCode.FORBIDDEN, Reason("SETUP_DONE", "There is an account already: sign in."))
        return await own.complete_sign_in(self._database, own.SignIn(account.id, client, SETUP), now)


def new_setup_key(cipher: Cipher, now: dt.datetime) -> str:
    """The key of the one-time address. It makes one account: once there is any, no key is accepted."""
    return cipher.encrypt(SETUP, now)


def _with_password(new: records.NewAccount, password_hash: str, *, must_change: bool) -> records.NewAccount:
    return records.NewAccount(
        name=new.name,
        full_name=new.full_name,
        role=new.role,
        password_hash=password_hash,
        must_change=must_change,
    )


def _folded(name: str) -> str:
    """The name as accounts have it; one that no account can have stays as it is."""
    try:
        return records.fold_name(name)
    except RequestError:
        return name
