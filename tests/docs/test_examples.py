"""Every example in the documents does what it says. `tests.support.document_examples` tells how blocks are marked."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.document_examples import Runner, WrongExample, check, commands, different
from tests.support.server_process import environment, serving
from web.settings import ROOT

SECRET = "a secret of the tests, of no use elsewhere"
PAGES = [path for path in (ROOT / "docs").rglob("*.md") if "proofs" not in path.parts]
DOCUMENTS = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *PAGES])


@pytest.fixture(scope="module")
def address(scratch: Path) -> Iterator[str]:
    """A server on a small demo, for all documents."""
    settings = {"HUHANG_SECRET": SECRET, "HUHANG_EVIDENCE_URL": str(scratch / "documents-evidence")}
    with (
        serving(scratch / "documents.log", f"sqlite:///{scratch / 'documents.db'}", **settings) as server,
        simulation(server.address),
    ):
        yield server.address


@contextmanager
def simulation(address: str) -> Iterator[None]:
    """Something happens at the server, for the examples that subscribe."""
    process = subprocess.Popen(
        (sys.executable, "-m", "web", "simulate", "--url", address),
        cwd=ROOT,
        env=environment("sqlite://", HUHANG_SECRET=SECRET),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def runner(document: Path, folder: Path, address: str) -> Runner:
    """Commands have a database of their own, empty at first, and the server's secret."""
    settings = environment(f"sqlite:///{folder / 'own.db'}", HUHANG_SECRET=SECRET)
    settings |= {"HUHANG_EVIDENCE_URL": str(folder / "own-evidence"), "LC_ALL": "C.UTF-8"}
    settings["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{settings['PATH']}"
    return Runner(document, folder, address, settings)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_example_of_a_document_works(document: Path, address: str, tmp_path: Path) -> None:
    runner(document, tmp_path, address).run()


def written(folder: Path, blocks: str) -> Path:
    """A document; `~~~` stands for its fences."""
    path = folder / "page.md"
    path.write_text(blocks.replace("~~~", "```"), "utf-8")
    return path


@pytest.mark.parametrize(
    ("blocks", "reason"),
    [
        ("~~~cobol\nSTOP RUN.\n~~~\n", "nothing runs `cobol`"),
        ("~~~\nplain\n~~~\n", "nothing runs ``"),
        ("~~~graphql\n{ zones { nme } }\n~~~\n", "Cannot query field 'nme'"),
        ('~~~graphql\n{ zone(by: { code: "NONE" }) { name } }\n~~~\n', '"zone": null'),
        ("~~~graphql as=nobody\n{ zones { name command { lead { name } } } }\n~~~\n", None),
        ("~~~json\n{\n~~~\n", "JSONDecodeError"),
        ('~~~sh\necho \'{"a": 1}\'\n~~~\n\n~~~json response\n{"a": "1"}\n~~~\n', "response.a is 1"),
        ("~~~sh\nfalse\n~~~\n", "status 1"),
        ("~~~sh\nNAME=value\n~~~\n\n~~~sh\ntest $NAME = value\n~~~\n", None),
        ("~~~python\nraise SystemExit(3)\n~~~\n", "status 3"),
        ("~~~sh check\npython -m web serve --port 1 --wrong\n~~~\n", "No such option"),
        ("~~~python file=models/expert.py\nclass Expert(Nothing):\n~~~\n", "does not stand in models/expert.py"),
        ("~~~python file=models/expert.py\nclass Expert(\n…\n    on_standby: bool = False\n~~~\n", None),
        ("<!-- not run: it is a drawing -->\n\n~~~mermaid\ngraph LR\n~~~\n", None),
        ("<!-- not run: -->\n\n~~~mermaid\ngraph LR\n~~~\n", "nothing runs `mermaid`"),
    ],
)
def test_a_wrong_example_is_noticed_and_a_right_one_is_not(
    blocks: str, reason: str | None, address: str, tmp_path: Path
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    document = written(tmp_path, blocks)
    if reason is None:
        runner(document, folder, address).run()
        return
    with pytest.raises(WrongExample, match=r"page\.md:") as raised:
        runner(document, folder, address).run()
    assert reason in str(raised.value)


@pytest.mark.parametrize("command", ["make nothing", "python -m web dance", "python -m nowhere", "rm -r models"])
def test_a_command_that_does_not_exist_is_noticed(command: str) -> None:
    with pytest.raises((AssertionError, KeyError)):
        check(command.split())


def test_commands_are_found_in_scripts() -> None:
    script = "A=$(make setup)\n# all\nexport A=1 B='2 3'\nA=1 make run ARGS=--x && make test \\\n  # end\n"
    assert list(commands(script)) == [["make", "setup"], ["make", "run", "ARGS=--x"], ["make", "test"]]


def test_responses_are_compared_by_shape() -> None:
    assert different({"a": [{"b": None}]}, {"a": [{"b": 1}], "c": 2}, "response") is None
    assert different({"a": [1]}, {"a": []}, "response") == "response.a is empty"
    assert different({"a": True}, {"a": 1}, "response") == "response.a is 1"
    assert different({"a": {}}, {"b": {}}, "response") == "response has no `a`, but b"
