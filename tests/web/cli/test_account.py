"""Accounts from the console, and the one-time address of the first start."""

import json
import re
import shutil
from pathlib import Path

import httpx
import pytest

from tests.support.server_process import serving, serving_without_demo, web
from tests.web.conftest import SECRET

PASSWORD = "a long pass phrase"


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database, to be copied."""
    path = tmp_path_factory.mktemp("account") / "huhang.db"
    assert web("migrate", url=f"sqlite:///{path}").returncode == 0
    return path


@pytest.fixture
def url(tmp_path: Path, migrated: Path) -> str:
    shutil.copy(migrated, tmp_path)
    return f"sqlite:///{tmp_path / 'huhang.db'}"


def test_accounts_are_managed_from_the_console(url: str) -> None:
    added = web("account", "add", "--name", "Zhang.Wei", "--role", "commander", "--one-time", url=url)
    assert added.returncode == 0
    assert re.fullmatch(r"[a-z2-9]{4}(-[a-z2-9]{4}){3}\n", added.stdout)
    assert "zhang.wei" in added.stderr
    assert web("account", "list", url=url).stdout == "zhang.wei\tCOMMANDER\t\n"
    assert web("account", "disable", "ZHANG.wei", url=url).returncode == 0
    assert web("account", "list", url=url).stdout == "zhang.wei\tCOMMANDER\t\tdisabled\n"
    assert web("account", "enable", "zhang.wei", url=url).returncode == 0
    reset = web("account", "reset", "zhang.wei", url=url)
    assert (reset.returncode, len(reset.stdout), reset.stdout == added.stdout) == (0, 20, False)


@pytest.mark.parametrize(
    ("arguments", "status", "reason"),
    [
        (("add", "--name", "a", "--role", "integrator", "--one-time"), 1, "A role is COMMANDER"),
        (("add", "--name", "a", "--role", "inspector", "--one-time"), 1, "A role is COMMANDER"),
        (
            ("add", "--name", "a", "--role", "inspector", "--inspector", "x", "--one-time"),
            1,
            "The register has no such",
        ),
        (("add", "--name", "", "--role", "commander", "--one-time"), 1, "A name has 1 to 64"),
        (("add", "--name", "a", "--role", "commander"), 2, "There is nobody to ask for a password"),
        (("add", "--name", "a", "--role", "commander", "--password-stdin"), 1, "A password needs at least"),
        (("disable", "nobody"), 1, "No account is called nobody"),
        (("reset", "nobody"), 1, "No account is called nobody"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(url: str, arguments: tuple[str, ...], status: int, reason: str) -> None:
    done = web("account", *arguments, url=url)
    assert (done.returncode, done.stdout) == (status, "")
    [line] = done.stderr.splitlines()
    assert line.startswith(reason)


def test_a_database_that_is_not_migrated_is_reported(tmp_path: Path) -> None:
    done = web("account", "list", url=f"sqlite:///{tmp_path / 'empty.db'}")
    assert (done.returncode, done.stderr) == (1, "The database is not migrated: python -m web migrate\n")


def test_the_first_start_prints_an_address_that_makes_a_commander_once(url: str, tmp_path: Path) -> None:
    settings = {"HUHANG_SECRET": SECRET.get_secret_value()}
    with serving_without_demo(tmp_path / "first.log", url, **settings) as server:
        match = re.search(rf"^{server.address}/signin/\?setup=(\S+)$", server.log, re.MULTILINE)
        assert match is not None
        body = {"key": match[1], "name": "zhang.wei", "password": PASSWORD}
        with httpx.Client(base_url=server.address, headers={"origin": server.address}) as browser:
            made = browser.post("/auth/setup", json=body)
            assert (made.status_code, made.json()["viewer"]["role"]) == (200, "COMMANDER")
            assert browser.get("/auth/accounts").status_code == 200
            assert browser.post("/auth/setup", json={**body, "name": "li.na"}).status_code == 403
    with serving_without_demo(tmp_path / "second.log", url, **settings) as server:
        assert "setup=" not in server.log


def test_the_printed_address_is_the_public_one(url: str, tmp_path: Path) -> None:
    settings = {"HUHANG_SECRET": SECRET.get_secret_value(), "HUHANG_PUBLIC_URL": "https://huhang.example.org"}
    with serving_without_demo(tmp_path / "log", url, **settings) as server:
        assert "\nhttps://huhang.example.org/signin/?setup=" in server.log


def test_a_demo_prints_no_such_address(tmp_path: Path) -> None:
    with serving(tmp_path / "log", f"sqlite:///{tmp_path / 'demo.db'}") as server:
        assert "setup=" not in server.log


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"ISSUER": "http://sso.example"}, "HUHANG_OIDC_ISSUER: this is an address of HTTPS"),
        ({"ISSUER": "https://sso.example"}, "HUHANG_OIDC_CLIENT_ID: with an identity provider it is needed"),
        (
            {"ISSUER": "https://sso.example", "CLIENT_ID": "huhang"},
            "HUHANG_OIDC_ROLES: with an identity provider at least one role is needed",
        ),
        ({"ROLES": '["COMMANDER"]'}, "HUHANG_OIDC_ROLES: this is not JSON such as"),
        ({"ROLES": json.dumps({"duty": "KING"})}, "HUHANG_OIDC_ROLES: this is not JSON such as"),
    ],
    ids=repr,
)
def test_wrong_settings_of_a_provider_are_reported(url: str, settings: dict[str, str], reason: str) -> None:
    done = web("account", "list", url=url, **{f"HUHANG_OIDC_{name}": value for name, value in settings.items()})
    assert done.returncode == 1
    assert reason in done.stderr
