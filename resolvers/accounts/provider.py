"""Accounts of people whom an identity provider signs in."""

import datetime as dt
from dataclasses import dataclass

from models import Account
from models.db.database import Database
from models.reason import Reason
from resolvers.accounts.audit import Actor
from resolvers.accounts.logins import Client
from resolvers.accounts.own import SignIn, complete_sign_in
from resolvers.accounts.records import (
    FULL_NAME_MAXIMUM,
    AccountRole,
    Changes,
    NewAccount,
    change_account,
    create_account,
    find_account_of_provider,
    fold_name,
)
from resolvers.errors import ErrorCode, RequestError

PROVIDER = "identity provider"


@dataclass(frozen=True, slots=True)
class ProvidedPerson:
    """What the identity provider says of a person. `names` are names that the account may have, the best one first."""

    issuer: str
    subject: str
    names: list[str]
    full_name: str
    role: AccountRole


async def sign_in_provided(
    database: Database, person: ProvidedPerson, client: Client, now: dt.datetime, *, id_token: str
) -> str:
    """Start a login of the person's account, which is made at the first sign-in and follows the provider's role.

    Returns the secret for the cookie. `id_token` is encrypted. Raises RequestError: NOT_FOUND when the register has no
    such inspector or enterprise, BAD_CREDENTIALS when the account is disabled.
    """
    account = await provided_account(database, person, client.address, now)
    return await complete_sign_in(database, SignIn(account.id, client, PROVIDER, id_token=id_token), now)


async def provided_account(
    database: Database, person: ProvidedPerson, address: str | None, now: dt.datetime
) -> Account:
    """The person's account, which is made at first and follows the provider's role, unless it is disabled.

    Raises RequestError when the register has no such inspector or enterprise.
    """
    actor = Actor(PROVIDER, address)
    account = await find_account_of_provider(database, person.issuer, person.subject)
    if account is None:
        account = await _create(database, person, actor, now)
    elif account.disabled_at is None:
        full_name = clean_full_name(person.full_name) or account.full_name
        account = await change_account(database, account.id, Changes(full_name=full_name, role=person.role), actor, now)
    return account


async def _create(database: Database, person: ProvidedPerson, actor: Actor, now: dt.datetime) -> Account:
    """A new account, never one that exists under the same name: whoever may choose a name at the provider gets none."""
    for name in [*person.names, f"{person.subject}@{person.issuer.partition('://')[2]}"]:
        try:
            new = NewAccount(
                name=fold_name(name),
                full_name=clean_full_name(person.full_name) or name,
                role=person.role,
                oidc=(person.issuer, person.subject),
            )
        except RequestError:  # no name that an account can have
            continue
        try:
            return await create_account(database, new, actor, now)
        except RequestError as error:
            if error.code is not ErrorCode.NAME_TAKEN:
                raise
            # Two requests of one person may come at once. Then the other one has made the account.
            account = await find_account_of_provider(database, person.issuer, person.subject)
            if account is not None:
                return account
    raise RequestError(
        ErrorCode.NAME_TAKEN, Reason("PERSON_NAMES_TAKEN", "Other accounts have all names of this person.")
    )


def clean_full_name(name: str) -> str:
    return "".join(c for c in name if c.isprintable()).strip()[:FULL_NAME_MAXIMUM]
