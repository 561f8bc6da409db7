"""Runs the fenced blocks of a document, in their order, against one server on which a simulation plays.

The word after the fence is the language; more words change how a block is run:

- `graphql`: validated and executed at the server as a commander; `as=enterprise`, `as=wall`, … as another role,
  `as=nobody` without a token. There may be no error and no null at the top. A subscription must give an event.
- `json`: must be JSON. `json variables` belongs to the `graphql` block after it. `json response` is compared with what
  the block before it gave: every key must be there, with a value of the same JSON type.
- `sh`: run by bash, which stops at the first failure. A document's blocks share their variables. Commands run in a
  folder that looks like the top of the repository. `sh stream`: run until it has printed an event, and then ended.
  `sh check`: not run, but each command must exist with the options that it is given.
- `python` and `js`: run as a program, with the variables of `sh` in its environment.
- `write=PATH` with any language: written to that file of the folder, for the commands after it.
- `file=PATH` with any language: not run; the block must be an excerpt of that file, where a line `…` stands for a gap.

Addresses (`localhost:8000`, `huhang.example`) are replaced by the server's, and Vite's port 5173 by a free one. A block
of another language needs an HTML comment on the line above it: `<!-- not run: why -->`.
"""

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import httpx
from graphql import GraphQLSchema, OperationType, build_schema, get_operation_ast, parse, validate

from models.visibility import Role
from tests.support.markdown import Block, read
from tests.support.patience import PATIENCE
from web.cli import load
from web.settings import ROOT

BLOCK_SECONDS = PATIENCE  # for one block
SKIPPED = re.compile(r"not run: \S")
ADDRESS = re.compile(r"(?P<scheme>https?|wss?)://(?:localhost:8000|huhang\.example)|(?:localhost:8000|huhang\.example)")
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


@cache
def schema() -> GraphQLSchema:
    return build_schema((ROOT / "schema" / "schema.graphql").read_text("utf-8"))


class WrongExample(AssertionError):
    """An example that does not do what the document says. The message begins with its file and line."""


class Runner:
    """Runs one document's blocks. `folder` is its own; `environment` reaches its commands."""

    def __init__(self, document: Path, folder: Path, address: str, environment: dict[str, str]) -> None:
        self._blocks = read(document).blocks
        self._folder, self._address = folder, address
        self._environment = environment
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self._free_port = listener.getsockname()[1]
        self._variables: Any = None
        self._output = ""
        for entry in ROOT.iterdir():
            if entry.name not in {"var", ".git"}:
                (folder / entry.name).symlink_to(entry)
        (folder / "node_modules").symlink_to(ROOT / "tests" / "web" / "clients" / "node_modules")
        (folder / ".variables").touch()

    def run(self) -> int:
        """Run every block; how many were run or compared. Raises WrongExample."""
        handlers: dict[str, Callable[[Block], None]] = {
            "graphql": self._graphql,
            "json": self._json,
            "sh": self._shell,
            "python": self._program,
            "js": self._program,
        }
        count = 0
        for block in self._blocks:
            if SKIPPED.match(block.comment):
                continue
            handler = handlers.get(block.language)
            for word, other in (("file", self._excerpt), ("write", self._write)):
                handler = other if option(block, word) else handler
            if handler is None:
                raise WrongExample(f"{block.place}: nothing runs `{block.language}`: say <!-- not run: why -->")
            try:
                handler(block)
            except WrongExample:
                raise
            except Exception as error:
                raise WrongExample(f"{block.place}: {type(error).__name__}: {error}") from error
            count += 1
        return count

    # -- graphql --

    def _graphql(self, block: Block) -> None:
        document = parse(block.text)
        if errors := validate(schema(), document):
            raise WrongExample(f"{block.place}: {errors[0]}")
        operation = get_operation_ast(document)
        assert operation is not None, "one operation in a block"
        variables, self._variables = self._variables, None
        body = {"query": block.text, "variables": variables}
        headers = self._authorization(option(block, "as") or Role.COMMANDER.value)
        if operation.operation is OperationType.SUBSCRIPTION:
            answer = self._first_event(body, headers)
        else:
            answer = httpx.post(f"{self._address}/graphql", json=body, headers=headers, timeout=BLOCK_SECONDS).json()
        if answer.get("errors") or any(value is None for value in answer["data"].values()):
            raise WrongExample(f"{block.place}: {json.dumps(answer, ensure_ascii=False)[:1000]}")
        self._output = json.dumps(answer)

    def _authorization(self, role: str) -> dict[str, str]:
        if role == "nobody":
            return {}
        offered = httpx.get(f"{self._address}/graphiql/viewers.json", timeout=BLOCK_SECONDS).json()["viewers"]
        tokens = {viewer["label"].lower(): viewer["token"] for viewer in offered}
        return {"authorization": f"Bearer {tokens[role]}"}

    def _first_event(self, body: Any, headers: dict[str, str]) -> Any:
        headers = {**headers, "accept": "text/event-stream"}
        with httpx.stream(
            "POST", f"{self._address}/graphql", json=body, headers=headers, timeout=BLOCK_SECONDS
        ) as response:
            for line in response.iter_lines():
                if line.startswith("data: {"):
                    return json.loads(line.removeprefix("data: "))
        raise WrongExample(f"the stream ended without an event: {response.status_code}")

    # -- json --

    def _json(self, block: Block) -> None:
        value = json.loads(block.text)
        if "variables" in block.words:
            self._variables = value
        if "response" in block.words:
            try:
                output = json.loads(self._output)
            except ValueError:
                raise WrongExample(f"{block.place}: the block before gave no JSON: {self._output[:500]}") from None
            if difference := different(value, output, "response"):
                raise WrongExample(f"{block.place}: {difference}")

    # -- programs --

    def _shell(self, block: Block) -> None:
        if "check" in block.words:
            for command in commands(block.text):
                check(command)
            return
        script = f"set -aeuo pipefail\n{self._addressed(block.text)}\nexport -p > .variables\n"
        run = self._until_event if "stream" in block.words else self._bash
        self._output = run(block, script)

    def _program(self, block: Block) -> None:
        name = "example.mjs" if block.language == "js" else "example.py"
        (self._folder / name).write_text(self._addressed(block.text), "utf-8")
        script = f"{'node' if block.language == 'js' else shlex.quote(sys.executable)} {name}"
        self._output = self._bash(block, script)

    def _bash(self, block: Block, script: str) -> str:
        done = subprocess.run(
            ("bash", "-c", f"source ./.variables\n{script}"),
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=BLOCK_SECONDS,
            check=False,
        )
        if done.returncode:
            raise WrongExample(f"{block.place}: status {done.returncode}: {done.stdout[-1000:]}{done.stderr[-2000:]}")
        return done.stdout

    def _until_event(self, block: Block, script: str) -> str:
        """What it prints up to the first event of a stream."""
        output = self._folder / "stream.txt"
        with output.open("wb") as file:
            process = subprocess.Popen(
                ("bash", "-c", f"source ./.variables\n{script}"),
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            end = time.monotonic() + BLOCK_SECONDS
            while time.monotonic() < end:
                ended, text = process.poll() is not None, output.read_text("utf-8")
                if '"data":{' in text:
                    return text
                if ended:
                    break
                time.sleep(0.05)
            raise WrongExample(f"{block.place}: no event came: {output.read_text('utf-8')[-2000:]}")
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _addressed(self, text: str) -> str:
        host = self._address.removeprefix("http://")
        schemes = {"http": "http://", "https": "http://", "ws": "ws://", "wss": "ws://", None: ""}
        return ADDRESS.sub(lambda match: schemes[match["scheme"]] + host, text).replace("5173", str(self._free_port))

    def _write(self, block: Block) -> None:
        file = self._folder / (option(block, "write") or "")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(self._addressed(block.text), "utf-8")

    # -- excerpts --

    def _excerpt(self, block: Block) -> None:
        file = ROOT / (option(block, "file") or "")
        pieces = re.split(r"^\s*(?:# )?…\n", block.text, flags=re.MULTILINE)
        pattern = r"(?s:.*?)".join(re.escape(piece.rstrip("\n")) for piece in pieces)
        if re.search(pattern, file.read_text("utf-8")) is None:
            raise WrongExample(f"{block.place}: this does not stand in {file.relative_to(ROOT)}")


def option(block: Block, name: str) -> str | None:
    """The value of a word `name=value` on the opening line."""
    return next((word.partition("=")[2] for word in block.words if word.startswith(f"{name}=")), None)


def different(example: Any, output: Any, path: str) -> str | None:
    """How the output differs in shape; None where it does not. A list is compared by its first elements."""
    if example is None or output is None:
        return None
    if isinstance(example, bool) != isinstance(output, bool) or not isinstance(output, kind(example)):
        return f"{path} is {json.dumps(output)[:200]}"
    if isinstance(example, dict):
        for key, value in example.items():
            if key not in output:
                return f"{path} has no `{key}`, but {', '.join(output)}"
            if difference := different(value, output[key], f"{path}.{key}"):
                return difference
    if isinstance(example, list) and example:
        return different(example[0], output[0], f"{path}[0]") if output else f"{path} is empty"
    return None


def kind(value: Any) -> Any:
    return (int, float) if isinstance(value, int | float) else type(value)


# -- commands that are looked at and not run --


def commands(text: str) -> Iterator[list[str]]:
    """The commands of a script, as words; comments, exports and settings before a command are left out."""
    for line in text.replace("\\\n", " ").splitlines():
        line = re.sub(r"^\w+=\$\((.*)\)$", r"\1", re.sub(r"(^|\s)#.*", "", line))
        for part in re.split(r"&&|\|\||;", line):
            words = shlex.split(part)
            while words and (words[0] == "export" or re.fullmatch(r"\w+=.*", words[0])):
                words = words[1:]
            if words:
                yield words


def check(words: list[str]) -> None:
    """Raises an error for a command that this repository does not have."""
    match words:
        case [python, "-m", "web", *arguments] if python.endswith("python"):
            check_cli(arguments)
        case [python, "-m", module, *_] if python.endswith("python"):
            path = ROOT / module.replace(".", "/")
            assert module == "pytest" or path.is_dir() or path.with_suffix(".py").is_file(), f"no module {module}"
            missing = [word for word in words[3:] if word.endswith(".py") and not (ROOT / word.split("::")[0]).exists()]
            assert missing == []
        case ["make", *targets]:
            unknown = {target for target in targets if "=" not in target} - TARGETS
            assert unknown == set(), f"make has no {unknown}"
        case ["docker", "compose", "-f", file, *_]:
            assert (ROOT / file).is_file(), f"no file {file}"
        case ["cd" | "git" | "npm" | "npx", *_]:
            pass
        case _:
            raise AssertionError(f"`{' '.join(words)}` is not a command that can be checked")


def check_cli(arguments: list[str]) -> None:
    """Parses the arguments. Raises KeyError for an unknown command, and typer's error for an unknown option."""
    name, *arguments = arguments
    command = load(name)
    # A group may do something without a command; it gets options then.
    while hasattr(command, "commands") and not (command.invoke_without_command and arguments[0].startswith("-")):
        name, *arguments = arguments
        command = command.commands[name]
    with command.make_context(command.name, arguments):
        pass
