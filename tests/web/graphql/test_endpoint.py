"""GraphQL over HTTP: the status, the media type, and a coded error for every invalid request."""

import gzip
import json
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.proof_mode import examples
from tests.web.conftest import get_raw
from web.graphql.negotiation import GRAPHQL, JSON, accepted

pytestmark = pytest.mark.database_independent

NAME = {"query": "{ district { name } }"}
# All examples share the client on purpose: earlier requests must not affect the application.
RANDOM = settings(max_examples=examples(200), deadline=None, suppress_health_check=[HealthCheck.too_slow])


def errors_of(response: httpx.Response) -> list[dict[str, Any]]:
    """The errors of a response. Each must have a message and a code."""
    assert response.headers["content-type"] in (f"{JSON}; charset=utf-8", f"{GRAPHQL}; charset=utf-8")
    errors: list[dict[str, Any]] = response.json().get("errors", [])
    assert all(error["message"] and error["extensions"]["code"] for error in errors)
    return errors


def assert_refused(response: httpx.Response, status: int, code: str = "BAD_REQUEST") -> None:
    """A request error: nothing was executed, so that the response has no data, not even null."""
    assert response.status_code == status
    assert {error["extensions"]["code"] for error in errors_of(response)} == {code}
    assert "data" not in response.json()


async def test_a_query_is_answered_by_post_and_by_get(client: httpx.AsyncClient) -> None:
    posted = await client.post("/graphql", json=NAME)
    got = await client.get("/graphql", params=NAME)
    assert posted.status_code == got.status_code == 200
    assert posted.json() == got.json()
    assert posted.json()["data"]["district"]["name"]
    assert "errors" not in posted.json()


async def test_the_cost_is_reported_on_demand(client: httpx.AsyncClient) -> None:
    asked = {**NAME, "extensions": {"cost": True}}
    for response in (
        await client.post("/graphql", json=asked),
        await client.get("/graphql", params={**NAME, "extensions": '{"cost": true}'}),
    ):
        reported = response.json()["extensions"]["cost"]
        assert 0 < reported["operation"] < reported["limit"]
        assert response.json()["data"]["district"]["name"]
    costly = {"query": "{ enterprises(first: 1000) { nodes { hazards(first: 1000) { nodes { id } } } } }"}
    for accept in (JSON, GRAPHQL):
        refused = await client.post(
            "/graphql", json={**costly, "extensions": {"cost": True}}, headers={"accept": accept}
        )
        reported = refused.json()["extensions"]["cost"]
        assert reported["operation"] > reported["limit"]
        [error] = errors_of(refused)
        parameters = {"cost": reported["operation"], "limit": reported["limit"]}
        named = {**parameters, "requestId": refused.headers["x-request-id"]}
        assert error["extensions"] == {"code": "TOO_COSTLY", "reason": "COST", "parameters": parameters, **named}


async def test_a_matching_etag_gets_304(client: httpx.AsyncClient) -> None:
    got = await client.get("/graphql", params=NAME)
    tag = got.headers["etag"]
    assert got.headers["cache-control"] == "private, no-cache"
    for condition in (tag, f"W/{tag}", f'"another", {tag}', "*"):
        again = await client.get("/graphql", params=NAME, headers={"if-none-match": condition})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    for query in ("{ district { id } }", "{ nothing }"):
        other = await client.get("/graphql", params={"query": query}, headers={"if-none-match": tag})
        assert other.status_code == 200
        assert other.headers["etag"] != tag
    posted = await client.post("/graphql", json=NAME, headers={"if-none-match": tag})
    assert posted.status_code == 200
    assert "etag" not in posted.headers


async def test_variables_and_the_operation_name_work_by_post_and_by_get(client: httpx.AsyncClient) -> None:
    query = (
        'query A { zone(by: { code: "none" }) { name } } query B($code: String!) { zone(by: { code: $code }) { code } }'
    )
    posted = await client.post("/graphql", json={"query": query, "operationName": "B", "variables": {"code": "GUALI"}})
    params = {"query": query, "operationName": "B", "variables": '{"code":"GUALI"}', "extensions": "{}"}
    got = await client.get("/graphql", params=params)
    assert posted.json() == got.json() == {"data": {"zone": {"code": "GUALI"}}}


@pytest.mark.parametrize("text", ["萧山", "%E8%90%A7%E5%B1%B1"])
async def test_chinese_in_the_query_string_may_be_escaped_or_not(client: httpx.AsyncClient, text: str) -> None:
    response = await get_raw(client, f'query={{search(text:"{text}",first:1){{item{{__typename}}}}}}'.encode())
    assert errors_of(response) == []
    assert len(response.json()["data"]["search"]) == 1


@pytest.mark.parametrize(
    ("header", "media"),
    [
        (None, JSON),
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (JSON, JSON),
        ("Application/JSON; charset=utf-8", JSON),
        (GRAPHQL, GRAPHQL),
        (f"{GRAPHQL}, {JSON};q=0.9", GRAPHQL),
        (f"{JSON};q=0.9, {GRAPHQL}", GRAPHQL),
        (f"{JSON}, {GRAPHQL};q=0.9, text/event-stream", JSON),
        (f"{GRAPHQL}, {JSON}, text/event-stream, multipart/mixed", GRAPHQL),
        (f"{JSON};q=0, */*", GRAPHQL),
        ("text/html, application/xhtml+xml, */*;q=0.8", JSON),
        ("text/html", None),
        (f"{JSON};q=0", None),
        (f"{JSON};q=nonsense", None),
        (f"{JSON};q=nan", None),
        (",", None),
    ],
)
def test_the_media_type_is_the_one_that_the_client_prefers(header: str | None, media: str | None) -> None:
    assert accepted(header) == media


async def test_a_client_that_accepts_neither_media_type_gets_406(client: httpx.AsyncClient) -> None:
    assert_refused(await client.post("/graphql", json=NAME, headers={"accept": "text/html"}), 406)


BAD_DOCUMENTS = [
    "{",
    "",
    "{ nothing }",
    "query A { __typename } query B { __typename }",
    "fragment F on Query { zones }",
]


@pytest.mark.parametrize("query", [*BAD_DOCUMENTS, '{ search(text: "\\uD800") { __typename } }', "{" * 5000])
async def test_a_bad_document_has_the_status_of_its_media_type(client: httpx.AsyncClient, query: str) -> None:
    # The newer media type shows by its status that nothing was executed. With plain JSON, a 400 may come from a proxy.
    for media, status in ((JSON, 200), (GRAPHQL, 400)):
        response = await client.post("/graphql", json={"query": query}, headers={"accept": media})
        assert_refused(response, status, "BAD_DOCUMENT")
        assert response.headers["content-type"] == f"{media}; charset=utf-8"


async def test_invalid_variables_are_refused(client: httpx.AsyncClient) -> None:
    request = {"query": "query A($n: Int!) { hazards(first: $n) { totalCount } }"}
    invalid: list[dict[str, Any]] = [
        {},
        {"n": None},
        {"n": "1"},
        {"n": 1.5},
        {"n": 2**31},
        {"n": 2**63},
        {"n": [1]},
        {"n": {}},
    ]
    for variables in invalid:
        response = await client.post("/graphql", json={**request, "variables": variables}, headers={"accept": GRAPHQL})
        assert_refused(response, 400, "BAD_VARIABLES")


DEEP = b'{"query":"{__typename}","variables":{"a":' + b"[" * 50_000 + b"]" * 50_000 + b"}}"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"true",
        b"1",
        b"-1.5e3",
        b'"{ __typename }"',
        b"[]",
        b"{}",
        b"{",
        b"NaN",
        b'{"query":null}',
        b'{"query":1}',
        b'{"query":["{ __typename }"]}',
        b'[{"query":"{ __typename }"}]',
        b'{"query":"{ __typename }","operationName":1}',
        b'{"query":"{ __typename }","variables":"{}"}',
        b'{"query":"{ __typename }","variables":[]}',
        b'{"query":"{ __typename }","extensions":1}',
        b'{"query":"{ __typename }","variables":{"a":' + b"9" * 5000 + b"}}",
        b'{"query":"{ __typename }","variables":{"a":1e999}}',
        b'{"query":"{ __typename }","variables":{"a":"\\ud800"}}',
        b'{"query":"{ __typename }","variables":{"\\udfff":1}}',
        b'{"query":"{ __typename } # \\ud800"}',
        b'{"query":"{ __typename }","operationName":"\\ud800"}',
        b'{"query":"{ __typename }","variables":{"a":"\xff"}}',
        b'\xef\xbb\xbf{"query":"{ __typename }"}',
        '{"query":"{ __typename }"}'.encode("utf-16"),
        DEEP,
        gzip.compress(b'{"query":"{ __typename }"}', mtime=0),
        b"query=%7B__typename%7D",
    ],
    ids=lambda body: repr(body[:40]),
)
async def test_a_body_that_is_not_a_request_is_refused(client: httpx.AsyncClient, body: bytes) -> None:
    for media in (JSON, GRAPHQL):
        headers = {"content-type": JSON, "accept": media}
        assert_refused(await client.post("/graphql", content=body, headers=headers), 400)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content-type": ""},
        {"content-type": "text/plain"},
        {"content-type": "application/graphql"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "multipart/form-data; boundary=a"},
        {"content-type": "application/json; charset=utf-16"},
        {"content-type": JSON, "content-encoding": "gzip"},
    ],
)
async def test_a_body_of_another_media_type_gets_415(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    # A form must not count as a request: a page of another site can send one without a preflight request.
    assert_refused(await client.post("/graphql", content=orjson.dumps(NAME), headers=headers), 415)


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", 'APPLICATION/JSON;charset="UTF-8"'])
async def test_json_may_declare_utf_8(client: httpx.AsyncClient, content_type: str) -> None:
    response = await client.post("/graphql", content=orjson.dumps(NAME), headers={"content-type": content_type})
    assert response.status_code == 200


async def test_a_body_over_the_limit_gets_413(client: httpx.AsyncClient) -> None:
    body = orjson.dumps({**NAME, "extensions": {"padding": "x" * 1_048_576}})
    assert_refused(await client.post("/graphql", content=body, headers={"content-type": JSON}), 413)


@pytest.mark.parametrize(
    "query",
    [
        b"",
        b"query=",
        b"query=%7B__typename%7D&variables=",
        b"query=%7B__typename%7D&variables=1",
        b"query=%7B__typename%7D&variables=%5B%5D",
        b"query=%7B__typename%7D&extensions=%7B",
        b"query=%7B__typename%7D&variables=%7B%22a%22:%22%5Cud800%22%7D",
        b"query=%7B__typename%7D&operationName=%ED%A0%80",
        b"query=%FF",
        b"query=\xff",
    ],
)
async def test_a_query_string_that_is_not_a_request_is_refused(client: httpx.AsyncClient, query: bytes) -> None:
    response = await get_raw(client, query, accept=GRAPHQL)
    assert_refused(response, 400, "BAD_DOCUMENT" if query == b"query=" else "BAD_REQUEST")


async def test_a_subscription_by_post_without_a_stream_is_refused(client: httpx.AsyncClient) -> None:
    response = await client.post("/graphql", json={"query": "subscription { events { __typename } }"})
    assert response.status_code in (200, 400)
    assert errors_of(response)


async def test_head_is_get_without_the_body_and_options_lists_the_methods(client: httpx.AsyncClient) -> None:
    head = await client.head("/graphql", params=NAME)
    assert (head.status_code, head.headers["content-type"]) == (200, f"{JSON}; charset=utf-8")
    options = await client.options("/graphql")
    assert (options.status_code, options.content) == (204, b"")
    assert {"GET", "HEAD", "POST"} <= {method.strip() for method in options.headers["allow"].split(",")}
    for method in ("PUT", "PATCH", "DELETE"):
        response = await client.request(method, "/graphql", json=NAME)
        assert response.status_code == 405
        assert "POST" in response.headers["allow"]


async def test_no_other_origin_may_read_responses(client: httpx.AsyncClient) -> None:
    response = await client.post("/graphql", json=NAME, headers={"origin": "https://elsewhere.test"})
    assert not [name for name in response.headers if name.startswith("access-control-")]


def assert_graphql(response: httpx.Response) -> None:
    """The response is GraphQL's, with data or with coded errors, and the server did not fail."""
    assert response.status_code < 500
    body = response.json()
    assert isinstance(body, dict)
    assert "data" in body or body["errors"]
    assert "INTERNAL" not in {error["extensions"]["code"] for error in errors_of(response)}


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)
REQUESTS = st.fixed_dictionaries(
    {},
    optional={
        "query": st.sampled_from(
            [
                "{ __typename }",
                "query A($a: String!) { search(text: $a, first: 3) { __typename } }",
                "query A($a: Int, $b: String) { hazards(first: $a, after: $b) { totalCount } }",
                "query A($a: ID!) { node(id: $a) { id } }",
            ]
        )
        | st.text(max_size=60)
        | ANYTHING,
        "operationName": st.just("A") | ANYTHING,
        "variables": st.dictionaries(st.sampled_from(["a", "b"]), ANYTHING) | ANYTHING,
        "extensions": ANYTHING,
    },
)


def as_json(value: Any) -> bytes:
    # Python's own encoder writes what orjson does not: NaN, large integers, lone surrogates.
    return json.dumps(value).encode()


@RANDOM
@given(body=st.binary(max_size=200))
async def test_random_bytes_are_never_more_than_a_bad_request(client: httpx.AsyncClient, body: bytes) -> None:
    assert_graphql(await client.post("/graphql", content=body, headers={"content-type": JSON}))


@RANDOM
@given(request=REQUESTS | ANYTHING)
async def test_random_json_gets_a_graphql_response(client: httpx.AsyncClient, request: Any) -> None:
    assert_graphql(await client.post("/graphql", content=as_json(request), headers={"content-type": JSON}))


@RANDOM
@given(query=st.binary(max_size=100) | REQUESTS.map(lambda r: httpx.QueryParams({k: str(v) for k, v in r.items()})))
async def test_random_query_strings_get_a_graphql_response(client: httpx.AsyncClient, query: Any) -> None:
    assert_graphql(await get_raw(client, query if isinstance(query, bytes) else str(query).encode()))


@RANDOM
@given(
    accept=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60),
    content_type=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60) | st.just(JSON),
    encoding=st.sampled_from(["", "identity", "gzip", "br", "gzip, br", "?"]),
)
async def test_random_headers_get_a_graphql_response(
    client: httpx.AsyncClient, accept: str, content_type: str, encoding: str
) -> None:
    headers = {"accept": accept, "content-type": content_type, "content-encoding": encoding}
    assert_graphql(await client.post("/graphql", content=orjson.dumps(NAME), headers=headers))
