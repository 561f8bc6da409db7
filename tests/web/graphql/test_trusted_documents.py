"""Trusted documents run by their ids, over every transport; where only they may, nothing else does."""

import asyncio
import hashlib
import json
import shutil
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from pydantic import ValidationError

from tests.conftest import Databases
from tests.support.stream_clients import ALL, LiveDistrict, live_district, small_district
from tests.web.conftest import SECRET, talking
from web.graphql.manifests import read_manifest
from web.settings import ROOT, Settings

NAMES = "query Names { zones { name } }"
ZONE = "query Zone($code: String!) { zone(by: { code: $code }) { name } }"
NAMES_HASH = hashlib.sha256(NAMES.encode()).hexdigest()
DOCUMENTS = {"names": NAMES, "zone": ZONE, f"sha256:{NAMES_HASH}": NAMES, "updates": ALL}
GRAPHQL = {"accept": "application/graphql-response+json"}
UNKNOWN = "0" * 64


@pytest.fixture(scope="module")
def manifest(scratch: Path) -> Path:
    path = scratch / "documents.json"
    path.write_text(json.dumps(DOCUMENTS))
    return path


@pytest_asyncio.fixture(scope="module")
async def lenient(databases: Databases, demo_url: str, manifest: Path) -> AsyncIterator[httpx.AsyncClient]:
    settings = Settings(database_url=await databases.new(demo_url), demo=True, secret=SECRET, documents=str(manifest))
    async with talking(settings) as client:
        yield client


@pytest_asyncio.fixture(scope="module")
async def strict(databases: Databases, demo_url: str, manifest: Path) -> AsyncIterator[httpx.AsyncClient]:
    url = await databases.new(demo_url)
    settings = Settings(database_url=url, demo=True, secret=SECRET, documents=str(manifest), documents_only=True)
    async with talking(settings) as client:
        yield client


def code(response: httpx.Response) -> str | None:
    body = response.json()
    return body["errors"][0]["extensions"]["code"] if "errors" in body else None


async def test_a_document_runs_by_its_id(lenient: httpx.AsyncClient) -> None:
    expected = (await lenient.post("/graphql", json={"query": NAMES})).json()
    for sent in (
        {"documentId": "names"},
        {"documentId": NAMES_HASH},
        {"documentId": f"sha256:{NAMES_HASH}"},
        {"documentId": "names", "operationName": "Names", "query": None},
        {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": NAMES_HASH}}},
        {"query": NAMES, "extensions": {"persistedQuery": {"version": 1, "sha256Hash": NAMES_HASH}}},
    ):
        assert (await lenient.post("/graphql", json=sent)).json() == expected, sent
    named = {"documentId": "zone", "variables": {"code": "GUALI"}}
    assert (await lenient.post("/graphql", json=named)).json() == {"data": {"zone": {"name": "瓜沥战区"}}}
    streamed = await lenient.post("/graphql", json=named, headers={"accept": "text/event-stream"})
    assert 'data: {"data":{"zone":{"name":"瓜沥战区"}}}' in streamed.text


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({"documentId": "nothing"}, "UNKNOWN_DOCUMENT"),
        ({"documentId": "sha256:names2"}, "UNKNOWN_DOCUMENT"),
        ({"documentId": 1}, "BAD_REQUEST"),
        ({"documentId": "names", "query": NAMES}, "BAD_REQUEST"),
        ({}, "BAD_REQUEST"),
        ({"documentId": None, "query": None}, "BAD_REQUEST"),
        ({"extensions": {"persistedQuery": {"version": 1, "sha256Hash": UNKNOWN}}}, "PERSISTED_QUERY_NOT_SUPPORTED"),
        ({"extensions": {"persistedQuery": {"version": 1}}}, "PERSISTED_QUERY_NOT_SUPPORTED"),
        ({"extensions": {"persistedQuery": 1}}, "BAD_REQUEST"),
    ],
)
async def test_what_names_no_document_is_refused(lenient: httpx.AsyncClient, sent: Any, expected: str) -> None:
    response = await lenient.post("/graphql", json=sent, headers=GRAPHQL)
    assert (response.status_code, code(response)) == (400, expected)
    assert "data" not in response.json()


async def test_get_by_id_is_revalidated_by_etag(lenient: httpx.AsyncClient) -> None:
    persisted = json.dumps({"persistedQuery": {"version": 1, "sha256Hash": NAMES_HASH}})
    for parameters in (
        {"documentId": "zone", "variables": '{"code": "GUALI"}'},
        {"extensions": persisted},
    ):
        first = await lenient.get("/graphql", params=parameters)
        assert (first.status_code, code(first)) == (200, None)
        again = await lenient.get("/graphql", params=parameters, headers={"if-none-match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")


async def test_only_trusted_documents_run_where_the_operator_wants_it(strict: httpx.AsyncClient) -> None:
    for sent in ({"documentId": "names"}, {"query": NAMES}):
        assert code(await strict.post("/graphql", json=sent)) is None
    for query in ("{ zones { name } }", f"{NAMES} ", "{ __schema { queryType { name } } }", "mutation { x }", "{"):
        for media, status in (("application/json", 200), ("application/graphql-response+json", 400)):
            response = await strict.post("/graphql", json={"query": query}, headers={"accept": media})
            assert (response.status_code, code(response)) == (status, "UNTRUSTED_DOCUMENT")
    response = await strict.get("/graphql", params={"query": "{ zones { name } }"}, headers=GRAPHQL)
    assert code(response) == "UNTRUSTED_DOCUMENT"


@pytest.mark.parametrize(
    ("content", "documents"),
    [
        ({"a": NAMES}, {"a": NAMES}),
        ({"format": "apollo-persisted-query-manifest", "version": 1, "operations": [{"id": "a", "body": NAMES}]}, 1),
        ([], None),
        ({"a": 1}, None),
        ({"operations": [{"id": "a"}]}, None),
        ({"operations": [1]}, None),
        (None, None),
    ],
)
def test_manifests_of_three_tools_are_read_and_nothing_else(tmp_path: Path, content: Any, documents: Any) -> None:
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps(content))
    if documents is None:
        with pytest.raises(ValidationError, match="is not a JSON object of documents by id"):
            Settings(documents=str(path))
    else:
        assert read_manifest(path) == {"a": NAMES}


RELAY = """
import { graphql } from 'relay-runtime';
export const zone = graphql`fragment zones_zone on Zone { code name }`;
export const zones = graphql`query zonesQuery($first: Int!) {
  zones { ...zones_zone enterprises(first: $first) { edges { node { name } } } }
}`;
"""
PRESET = """
import { graphql } from './gql/index.js';
export const zones = graphql(`query Zones($first: Int!) {
  zones { code enterprises(first: $first) { edges { node { name } } } }
}`);
"""
RELAY_CONFIG = {
    "src": "src",
    "language": "typescript",
    "schema": "schema.graphql",
    "artifactDirectory": "artifacts",
    "persistConfig": {"file": "documents.json", "algorithm": "SHA256"},
}
PRESET_CONFIG = {
    "schema": "schema.graphql",
    "documents": "src/zones.ts",
    "generates": {
        "src/gql/": {
            "preset": "client",
            "presetConfig": {"persistedDocuments": True},
            "config": {"documentMode": "string"},
        }
    },
}


@pytest.mark.database_independent
@pytest.mark.parametrize(
    ("source", "config", "program", "written"),
    [
        (RELAY, RELAY_CONFIG, "relay-compiler/cli.js", "documents.json"),
        (PRESET, PRESET_CONFIG, "@graphql-codegen/cli/cjs/bin.js", "src/gql/persisted-documents.json"),
    ],
    ids=["relay-compiler", "client-preset"],
)
async def test_the_manifest_that_a_tool_writes_is_read(
    databases: Databases, demo_url: str, tmp_path: Path, source: str, config: Any, program: str, written: str
) -> None:
    packages = Path(__file__).parents[1] / "clients" / "node_modules"
    (tmp_path / "node_modules").symlink_to(packages)
    (tmp_path / "schema.graphql").symlink_to(ROOT / "schema" / "schema.graphql")
    for folder in ("src", "artifacts"):
        (tmp_path / folder).mkdir()
    (tmp_path / "src" / "zones.ts").write_text(source)
    (tmp_path / "documents.json").write_text("{}")  # relay-compiler adds to a file that is there
    (tmp_path / "relay.config.json").write_text(json.dumps(config))  # relay-compiler looks for this name
    node = shutil.which("node")
    assert node, "The clients need Node."
    options = [] if config is RELAY_CONFIG else ["--config", "relay.config.json"]
    process = await asyncio.create_subprocess_exec(
        node, str(packages / program), *options, cwd=tmp_path, stdout=PIPE, stderr=STDOUT
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    [document_id] = json.loads((tmp_path / written).read_text())
    settings = Settings(
        database_url=await databases.new(demo_url),
        demo=True,
        secret=SECRET,
        documents=str(tmp_path / written),
        documents_only=True,
    )
    async with talking(settings) as client:
        answer = await client.post("/graphql", json={"documentId": document_id, "variables": {"first": 2}})
        assert [len(zone["enterprises"]["edges"]) for zone in answer.json()["data"]["zones"]] == [2, 2, 2, 2]
        assert code(await client.post("/graphql", json={"query": NAMES})) == "UNTRUSTED_DOCUMENT"


def test_settings_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="cannot be read: No such file"):
        Settings(documents=str(tmp_path / "nothing.json"))
    with pytest.raises(ValidationError, match="this needs HUHANG_DOCUMENTS"):
        Settings(documents_only=True)


# -- streams, at a server as a process --


@pytest_asyncio.fixture(scope="module")
async def live(databases: Databases, migrated_url: str, scratch: Path, manifest: Path) -> AsyncIterator[LiveDistrict]:
    url, world = await small_district(databases, migrated_url)
    settings = {"HUHANG_DOCUMENTS": str(manifest), "HUHANG_DOCUMENTS_ONLY": "true"}
    with live_district(scratch, url, world, **settings) as district:
        yield district


@pytest.mark.database_independent
async def test_streams_run_trusted_documents_only(live: LiveDistrict) -> None:
    async with live.socket() as socket:
        await socket.send({"id": "1", "type": "subscribe", "payload": {"documentId": "updates"}})
        await socket.subscribe("2", "subscription { updates { kind } }")
        assert await socket.error_code("2") == "UNTRUSTED_DOCUMENT"
        await socket.send({"id": "3", "type": "subscribe", "payload": {"documentId": "x"}})
        assert await socket.error_code("3") == "UNKNOWN_DOCUMENT"
    headers = {"authorization": f"Bearer {live.token()}"}
    async with httpx.AsyncClient(base_url=live.address, headers=headers) as http:
        token = (await http.put("/graphql/stream")).text
        reserved = {"x-graphql-event-stream-token": token}
        for sent, status in (({"documentId": "names"}, 202), ({"query": "{ zones { code } }"}, 400)):
            body = {**sent, "extensions": {"operationId": "1"}}
            assert (await http.post("/graphql/stream", json=body, headers=reserved)).status_code == status


@pytest.mark.database_independent
async def test_clients_with_automatic_persisted_queries_send_whole_documents(
    databases: Databases, migrated_url: str, scratch: Path
) -> None:
    """Apollo and urql: one request is refused, and after that they do not try again."""
    with live_district(scratch, *await small_district(databases, migrated_url)) as live:
        node = shutil.which("node")
        assert node, "The clients need Node."
        script = Path(__file__).parents[1] / "clients" / "persisted.mjs"
        process = await asyncio.create_subprocess_exec(
            node, str(script), live.address, live.token(), stdout=PIPE, stderr=STDOUT
        )
        output, _ = await process.communicate()
    lines = [json.loads(line) for line in output.splitlines()]
    shown = {"names": ["战区0", "战区1"], "codes": ["z0", "z1"], "requests": 3}
    assert lines == [{"client": client, **shown} for client in ("Apollo", "Apollo", "urql", "urql")], output
