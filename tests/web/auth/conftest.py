"""Fixtures of a bureau with an identity provider."""

from tests.support.oidc_bureau import at_real, issuer, lying

__all__ = ["at_real", "issuer", "lying"]
