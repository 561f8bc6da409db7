"""The lock file suits every Python that Huhang runs on, not only the one that wrote it."""

import re
import tomllib
from importlib.metadata import distribution

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from web.settings import ROOT

LOCK = (ROOT / "requirements.lock").read_text("utf-8")
LOCKED = {canonicalize_name(name) for name in re.findall(r"^([\w.-]+)==", LOCK, re.MULTILINE)}
PYTHONS = ["3.11.0", "3.11.2", "3.11.9", "3.12.0", "3.13.0"]


def test_these_pythons_are_allowed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert all(python in SpecifierSet(project["requires-python"]) for python in PYTHONS)


@pytest.mark.parametrize("python", PYTHONS)
def test_every_package_finds_what_it_requires(python: str) -> None:
    """pip refuses the whole file otherwise, since it checks hashes."""
    environment = {"python_full_version": python, "python_version": python.rpartition(".")[0], "extra": ""}
    missing = []
    for name in sorted(LOCKED):
        for text in distribution(name).requires or ():
            requirement = Requirement(text)
            needed = requirement.marker is None or requirement.marker.evaluate(environment)
            if needed and canonicalize_name(requirement.name) not in LOCKED:
                missing.append(f"{name} needs {text}")
    assert missing == []
