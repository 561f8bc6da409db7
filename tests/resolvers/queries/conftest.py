"""Fixtures of the queries' tests."""

from tests.support.office_fixtures import office, shared_database

__all__ = ["office", "shared_database"]
