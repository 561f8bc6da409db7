"""Tokens of the tests' application, and claims to sign with them."""

import datetime as dt

from models.visibility import Role
from tests.conftest import NOW
from tests.web.conftest import SECRET
from web.auth.tokens import Claims, Tokens

TOKENS = Tokens(SECRET.get_secret_value())
OTHER_TOKENS = Tokens("another secret that nobody here has ever used")
BADGE = "XS1001"  # the demo's first inspector
WALL = Claims(Role.WALL, NOW + dt.timedelta(hours=1), subject="wall")
NAMED = Claims(Role.COMMANDER, NOW + dt.timedelta(hours=1), subject="duty", name="值班长")
