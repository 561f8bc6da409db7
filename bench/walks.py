"""Which files and functions of Huhang run for a request: the two walks of docs/architecture.md, measured.

`python -m bench.walks [--list]` writes bench/results/walks.md. It serves a SQLite demo in this process over real
sockets, and records each function of the project that runs from when a request is sent until its answer has arrived:

- the headline query (GraphiQL's example), cold (its text is new to the server) and warm;
- `inspectionSubmit`, until a WebSocket subscriber has the frame of its event.

Each is measured several times, and only what ran every time counts, so that background work is left out. Comprehensions
and generated code are not counted. `--list` prints the functions too.
"""

import argparse
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import httpx
import orjson
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from bench.speed_data import ROOT, sqlite
from web import server

RESULTS = ROOT / "bench" / "results" / "walks.md"
HEAD = [
    "# Files and functions that run for a request",
    "",
    "Made by `python -m bench.walks` on SQLite: the files and functions of Huhang that run from the moment a request",
    "is sent until its answer, or the subscriber's frame, has arrived. Comprehensions and generated code do not count.",
    "",
]
ENTERPRISES = 500
REPEATS = 3
FOLDERS = ("models", "subscriptions", "resolvers", "schema", "web")
HEADLINE = (ROOT / "web" / "ui" / "src" / "graphiql" / "examples" / "headline-file.graphql").read_text("utf-8")
ON_SITE = """
query($first: Int!) { inspections(first: $first, filter: { statuses: [ON_SITE] }) { nodes { id } } }
"""
SUBMIT = """
mutation Submit($input: InspectionSubmitInput!) {
  inspectionSubmit(input: $input) { __typename ... on InspectionSubmitted { cursor inspection { id status } } }
}
"""
UPDATES = "subscription { inspectionUpdates { kind at inspection { status enterprise { name } } } }"

Function = tuple[str, str]  # the file, relative to the project, and the qualified name


class Recorder:
    """Records the functions of the project that run, in all threads that start after `install`."""

    def __init__(self) -> None:
        self._codes: set[CodeType] | None = None

    def install(self) -> None:
        threading.setprofile(self._profile)
        sys.setprofile(self._profile)

    def _profile(self, frame: FrameType, event: str, argument: object) -> None:
        if event == "call" and self._codes is not None:
            self._codes.add(frame.f_code)

    def record(self, request: Callable[[], None]) -> set[Function]:
        codes: set[CodeType] = set()
        self._codes = codes
        try:
            request()
        finally:
            self._codes = None
        return {function for code in codes if (function := project_function(code)) is not None}


def project_function(code: CodeType) -> Function | None:
    """None for code of a library, generated code, and comprehensions."""
    try:
        file = Path(code.co_filename).relative_to(ROOT)
    except ValueError:
        return None
    if file.parts[0] not in FOLDERS or re.search(r"<(\w+comp|genexpr|module)>$", code.co_qualname):
        return None
    return str(file), code.co_qualname


def always(recorder: Recorder, requests: Iterator[Callable[[], None]]) -> set[Function]:
    """The functions that run for every one of the requests."""
    runs = [recorder.record(next(requests)) for _ in range(REPEATS)]
    return set.intersection(*runs)


class Client:
    """A commander at a server."""

    def __init__(self, port: int, token: str) -> None:
        self._headers = {"authorization": f"Bearer {token}"}
        self._http = httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=self._headers, timeout=60)
        self._socket_url = f"ws://127.0.0.1:{port}/graphql"

    def ask(self, query: str, **variables: Any) -> Any:
        response = self._http.post("/graphql", json={"query": query, "variables": variables})
        body = response.json()
        if response.status_code != 200 or body.get("errors"):
            raise RuntimeError(response.text[:1000])
        return body["data"]

    @contextmanager
    def subscription(self, query: str) -> Iterator[Callable[[], Any]]:
        """Yields a function that waits for the next event."""
        with connect(
            self._socket_url,
            subprotocols=[Subprotocol("graphql-transport-ws")],
            additional_headers=self._headers,
            open_timeout=60,
        ) as socket:

            def send(**message: Any) -> None:
                socket.send(orjson.dumps(message).decode())

            def receive(wanted: str) -> Any:
                while (message := orjson.loads(socket.recv(60)))["type"] != wanted:
                    if message["type"] == "ping":
                        send(type="pong")
                return message

            send(type="connection_init")
            receive("connection_ack")
            send(type="subscribe", id="1", payload={"query": query})
            self.ask("{ __typename }")  # answered after the subscription was joined
            yield lambda: receive("next")


def headline(client: Client, number: int | None) -> Callable[[], None]:
    """The query; `number` makes its text new to the server."""
    text = HEADLINE if number is None else HEADLINE.replace("HeadlineFile", f"HeadlineFile{number}")
    return lambda: client.ask(text)


def submission(client: Client, event: Callable[[], Any], inspection: str) -> Callable[[], None]:
    """Submits an inspection with a text that is new to the server, and waits for the event at the subscriber."""
    text = SUBMIT.replace("mutation Submit", f"mutation Submit{inspection.rstrip('=')}")

    def request() -> None:
        answer = client.ask(text, input={"inspection": inspection, "result": "PASS"})["inspectionSubmit"]
        if answer["__typename"] != "InspectionSubmitted":
            raise RuntimeError(f"the inspection was not submitted: {answer}")
        event()

    return request


def measure(recorder: Recorder, client: Client) -> dict[str, set[Function]]:
    client.ask("{ __typename }")
    results = {"headline, cold": always(recorder, (headline(client, n) for n in range(REPEATS)))}
    client.ask(HEADLINE)
    client.ask(HEADLINE)
    results["headline, warm"] = always(recorder, (headline(client, None) for _ in range(REPEATS)))
    inspections = [node["id"] for node in client.ask(ON_SITE, first=REPEATS + 1)["inspections"]["nodes"]]
    with client.subscription(UPDATES) as event:
        submission(client, event, inspections.pop())()
        requests = (submission(client, event, inspection) for inspection in inspections)
        results["inspectionSubmit to a frame"] = always(recorder, requests)
    return results


def serve_and_measure(folder: Path) -> dict[str, set[Function]]:
    """Serves in this thread, since signals reach no other, and measures from a second one."""
    os.environ |= {
        "HUHANG_DATABASE_URL": sqlite(folder / "demo.db", ENTERPRISES),
        "HUHANG_SECRET": secrets.token_urlsafe(32),
        "HUHANG_EVIDENCE_URL": str(folder / "evidence"),
    }
    command = [sys.executable, "-m", "web", "token", "--role", "commander", "--name", "walks"]
    token = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()[-1]
    listener = server.bind("127.0.0.1", 0)
    recorder, results, listening = Recorder(), {}, threading.Event()

    def client() -> None:
        sys.setprofile(None)
        listening.wait(60)
        try:
            results.update(measure(recorder, Client(listener.getsockname()[1], token)))
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    recorder.install()
    thread = threading.Thread(target=client)
    thread.start()
    server.run(listener, listening.set, log_level="warning")
    thread.join()
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="print the functions too")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="huhang-") as name:
        results = serve_and_measure(Path(name))
    sys.setprofile(None)
    table = ["| request | files | functions |", "|---|---|---|"]
    for title, functions in results.items():
        table.append(f"| {title} | {len({file for file, _ in functions})} | {len(functions)} |")
    print(*table, sep="\n")
    RESULTS.write_text("\n".join([*HEAD, *table, ""]), "utf-8")
    if arguments.list:
        for title, functions in results.items():
            print(f"\n{title}", *(f"  {file}: {name}" for file, name in sorted(functions)), sep="\n")


if __name__ == "__main__":
    main()
