"""Admission for tests that build parts of the application themselves."""

from web.admission import Admission, FailedTokens
from web.auth.sessions import Authenticator
from web.shares import ShareLimits, Shares


def admission_of(authenticator: Authenticator, limits: ShareLimits | None = None) -> Admission:
    """Admits whom the authenticator knows, within the limits; without them within the defaults."""
    return Admission(authenticator, Shares(limits or ShareLimits(), 2), FailedTokens(20, "memory://"))
