"""What is under /auth for people: their own accounts, all accounts for the commander, and the identity provider."""

import datetime as dt
from collections.abc import Callable

from starlette.routing import Route

from models.db.database import Database
from web.admission import Admission
from web.auth.accounts import AccountEndpoints
from web.auth.cipher import Cipher
from web.auth.cookies import Cookies
from web.auth.keys import Purpose, Secrets
from web.auth.oidc import Provider
from web.auth.oidc_endpoints import OidcEndpoints
from web.auth.own_account import OwnAccountEndpoints
from web.auth.passwords import Passwords
from web.auth.sign_in import PasswordSignIn
from web.settings import Settings


class PeopleEndpoints:
    """The endpoints with what they share. `close` ends their threads and connections."""

    def __init__(
        self,
        settings: Settings,
        secrets: Secrets,
        database: Database,
        admission: Admission,
        clock: Callable[[], dt.datetime],
    ) -> None:
        self._passwords = Passwords()
        self._closing = [self._close_passwords]
        self.sign_in = PasswordSignIn(database, self._passwords, Cipher(secrets.keys(Purpose.ACCOUNTS)), clock)
        cookies = Cookies(insecure=settings.insecure_cookies or settings.demo)
        oidc = None
        if settings.oidc_issuer is not None:
            oidc = self._provided(settings, settings.oidc_issuer, secrets, database, cookies, clock)
        own = OwnAccountEndpoints(
            database,
            self.sign_in,
            cookies,
            admission,
            clock,
            demo=settings.demo,
            oidc_label=None if oidc is None else settings.oidc_label,
            provider_sign_out=None if oidc is None else oidc.sign_out_url,
            totp_roles=settings.totp_roles,
        )
        managed = AccountEndpoints(database, self.sign_in, admission, clock)
        self.routes: list[Route] = [*own.routes, *managed.routes, *(() if oidc is None else oidc.routes)]

    def _provided(
        self,
        settings: Settings,
        issuer: str,
        secrets: Secrets,
        database: Database,
        cookies: Cookies,
        clock: Callable[[], dt.datetime],
    ) -> OidcEndpoints:
        client_secret = None if settings.oidc_client_secret is None else settings.oidc_client_secret.get_secret_value()
        provider = Provider(issuer, settings.oidc_client_id or "", client_secret, settings.oidc_scope, clock)
        self._closing.append(provider.close)
        return OidcEndpoints(
            provider,
            database,
            Cipher(secrets.keys(Purpose.OIDC_FLOWS)),
            cookies,
            clock,
            mapping=settings.claim_mapping,
            public_url=settings.public_url,
        )

    async def _close_passwords(self) -> None:
        self._passwords.close()

    async def close(self) -> None:
        for close in self._closing:
            await close()
