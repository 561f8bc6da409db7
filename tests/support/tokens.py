"""Tokens of the tests' application: claims to sign for a demo, and tokens that are issued."""

import datetime as dt
from typing import Any

from models.db.database import Database
from models.visibility import Role
from resolvers.tokens import NewToken, issue_token
from tests.conftest import NOW
from tests.web.conftest import SECRET
from web.auth.tokens import Claims, Tokens

TOKENS = Tokens(SECRET.get_secret_value())
OTHER_TOKENS = Tokens("another secret that nobody here has ever used")
BADGE = "XS1001"  # the demo's first inspector
WALL = Claims(Role.WALL, NOW + dt.timedelta(hours=1), subject="wall")
NAMED = Claims(Role.COMMANDER, NOW + dt.timedelta(hours=1), subject="duty", name="值班长")


async def issue(database: Database, tokens: Tokens = TOKENS, now: dt.datetime = NOW, **given: Any) -> str:
    """Issue a token for an hour, with other fields of NewToken as given."""
    new = NewToken(**{"ttl": dt.timedelta(hours=1), **given})
    issued = await issue_token(database, new, tokens.key_id, "console", now)
    return tokens.sign(issued.token, issued.role)


async def issue_at(url: str, tokens: Tokens = TOKENS, now: dt.datetime = NOW, **given: Any) -> str:
    """Like `issue`, for a database by its URL."""
    database = Database(url)
    try:
        return await issue(database, tokens, now, **given)
    finally:
        await database.close()
