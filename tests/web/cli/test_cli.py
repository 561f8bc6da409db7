"""The command line: each command's work, and one clear line when it fails."""

import socket
from pathlib import Path

import pytest

from schema.build import Graph
from tests.support.server_process import web
from web.cli import COMMANDS, load


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'huhang.db'}"


def test_schema_prints_the_schema_and_nothing_else(url: str, graph: Graph) -> None:
    done = web("schema", url=url)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == graph.as_str() + "\n"


def test_migrate_may_be_run_twice(url: str) -> None:
    for _ in range(2):
        done = web("migrate", url=url)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "The database is up to date.\n")


def test_the_demo_needs_an_empty_database(url: str) -> None:
    first = web("seed", "demo", "--enterprises", "20", url=url)
    # The progress bar is for terminals. A log gets only the result.
    assert (first.returncode, first.stderr) == (0, "Seeded the demo with 20 enterprises.\n")
    second = web("seed", "demo", "--enterprises", "20", url=url)
    assert second.returncode == 1
    assert second.stderr == (
        "The database has a district already; the demo is only for an empty one. Nothing was changed.\n"
    )


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "HUHANG_DATABASE_URL: the URL of a database begins with sqlite:/// or postgresql://"),
        ("huhang.db", "HUHANG_DATABASE_URL: the URL of a database begins with sqlite:/// or postgresql://"),
        ("mysql://u:secret@h/d", "HUHANG_DATABASE_URL: mysql is not supported: use sqlite:/// or postgresql://"),
        ("sqlite:////dev/null/x/y.db", "The database of HUHANG_DATABASE_URL does not answer: "),
        ("postgresql://u:secret@127.0.0.1:{free}/d", "The database of HUHANG_DATABASE_URL does not answer: "),
    ],
)
@pytest.mark.parametrize("command", [("migrate",), ("serve", "--demo", "--port", "0")], ids=lambda c: c[0])
def test_an_unreachable_database_is_reported_in_one_line(url: str, reason: str, command: tuple[str, ...]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        free = taken.getsockname()[1]
    done = web(*command, url=url.format(free=free))
    assert done.returncode == 1
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith(reason)
    assert "secret" not in line


def test_a_wrong_setting_is_reported_by_name(url: str) -> None:
    done = web("migrate", url=url, HUHANG_POOL_SIZE="none", HUHANG_LOG_LEVEL="loud")
    assert done.returncode == 1
    names = [line.split(":")[0] for line in done.stderr.splitlines()]
    assert names == ["HUHANG_POOL_SIZE", "HUHANG_LOG_LEVEL"]


def test_without_a_command_all_are_listed(url: str) -> None:
    done = web(url=url)
    for command in ("serve", "migrate", "seed", "schema"):
        assert command in done.stdout + done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_says_of_each_command_what_its_own_help_says(name: str) -> None:
    """The list must not import the commands, so it has their texts again."""
    assert load(name).help.split("\n\n")[0] == COMMANDS[name][1]


def test_a_command_without_a_subcommand_shows_its_help(url: str) -> None:
    done = web("seed", url=url)
    assert "Seed the Xiaoshan demo" in done.stdout + done.stderr


def test_a_misspelt_command_is_corrected(url: str) -> None:
    assert "Did you mean 'serve'" in web("serv", url=url).stderr
