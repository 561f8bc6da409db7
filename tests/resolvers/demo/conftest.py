"""The rows of one demo for all tests of the demo."""

import pytest

from tests.support.demo_rows import Rows, make


@pytest.fixture(scope="package")
def made() -> Rows:
    return make()
