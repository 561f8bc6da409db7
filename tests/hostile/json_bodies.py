"""Bodies: JSON that is broken, deep, huge or of the wrong shape."""

from collections.abc import Iterator

import orjson

from tests.hostile.case import NOBODY, Case, post, request_case

GROUP = "json"
ANSWERED, BAD = "200 data", "400 BAD_REQUEST"
DOCUMENT = "400 BAD_DOCUMENT|401 UNAUTHENTICATED"
VARIABLES = "400 BAD_VARIABLES|401 UNAUTHENTICATED"
SEARCH = b'{"query":"query($a:String!){search(text:$a){__typename}}","variables":{"a":"'
TEXT = b'{"query":"{__typename}"}'
BODY_LIMIT = 1 << 20


def variable(value: bytes) -> bytes:
    """A body with a variable that the document does not use."""
    return b'{"query":"{__typename}","variables":{"a":' + value + b"}}"


# The text of a whole body.
BODIES: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", BAD),
    "spaces": (b" \t\r\n" * 100, BAD),
    "null": (b"null", BAD),
    "a number": (b"1", BAD),
    "a text": (b'"{__typename}"', BAD),
    "true": (b"true", BAD),
    "an empty object": (b"{}", BAD),
    "an empty batch": (b"[]", BAD),
    "a batch": (b"[" + TEXT + b"]", BAD),
    "a batch of 10,000": (b"[" + b",".join([TEXT] * 10_000) + b"]", BAD),
    "half an object": (b'{"query":"{__typename}"', BAD),
    "half a text": (b'{"query":"{__typename', BAD),
    "two objects": (TEXT + TEXT, BAD),
    "something after the object": (TEXT + b" x", BAD),
    "a comma at the end": (b'{"query":"{__typename}",}', BAD),
    "single quotes": (b"{'query':'{__typename}'}", BAD),
    "a key without quotes": (b'{query:"{__typename}"}', BAD),
    "a comment": (b'{"query":"{__typename}"} // x', BAD),
    "a byte order mark": (b"\xef\xbb\xbf" + TEXT, BAD),
    "UTF-16": (TEXT.decode().encode("utf-16"), BAD),
    "UTF-16 without a mark": (TEXT.decode().encode("utf-16-le"), BAD),
    "UTF-32": (TEXT.decode().encode("utf-32"), BAD),
    "bytes that are not UTF-8": (b'{"query":"\xff\xfe"}', BAD),
    "an overlong encoding": (b'{"query":"\xc0\xaf"}', BAD),
    "an encoded surrogate": (b'{"query":"\xed\xa0\x80"}', BAD),
    "a code point beyond Unicode": (b'{"query":"\xf4\x90\x80\x80"}', BAD),
    "a lone surrogate": (b'{"query":"{__typename}\\ud800"}', "400"),
    "surrogates in the wrong order": (b'{"query":"{__typename}\\udc00\\ud800"}', "400"),
    "a lone surrogate as a key": (b'{"query":"{__typename}","variables":{"\\ud800":1}}', "400|200 data"),
    "NUL in the document": (b'{"query":"{__typename}\\u0000"}', DOCUMENT),
    "a raw NUL": (b'{"query":"{__typename}\0"}', BAD),
    "a raw line end in a text": (b'{"query":"{__typename}\n"}', BAD),
    "an escape of nonsense": (b'{"query":"\\x41"}', BAD),
    "half an escape": (b'{"query":"\\u12"}', BAD),
    "equal keys": (b'{"query":"{nothing}","query":"{__typename}"}', ANSWERED),
    "10,000 equal keys": (b"{" + b'"query":"{__typename}",' * 10_000 + TEXT[1:], ANSWERED),
    "100,000 keys": (b"{" + b"".join(b'"a%d":1,' % n for n in range(70_000)) + TEXT[1:], ANSWERED),
    "a key of 900 kB": (b'{"' + b"a" * 900_000 + b'":1,' + TEXT[1:], ANSWERED),
    "keys of a prototype": (b'{"__proto__":{"query":"x"},"constructor":1,' + TEXT[1:], ANSWERED),
    "keys that differ in case": (b'{"Query":"{__typename}","QUERY":"{__typename}"}', BAD),
    "a key that is empty": (b'{"":1,' + TEXT[1:], ANSWERED),
    "nan": (variable(b"NaN"), BAD),
    "infinity": (variable(b"-Infinity"), BAD),
    "1e400": (variable(b"1e400"), f"{BAD}|{ANSWERED}"),
    "a number of 100,000 digits": (variable(b"9" * 100_000), "400|200 data"),
    "a fraction of 100,000 digits": (variable(b"0." + b"9" * 100_000), "400|200 data"),
    "an exponent of 100,000 digits": (variable(b"1e" + b"9" * 100_000), "400|200 data"),
    "a number with a zero before it": (variable(b"01"), BAD),
    "a number with a plus": (variable(b"+1"), BAD),
    "hexadecimal": (variable(b"0x10"), BAD),
    "500,000 brackets": (b"[" * 500_000, BAD),
    "500,000 objects": (b'{"a":' * 200_000, BAD),
    "deep variables": (variable(b"[" * 900 + b"]" * 900), "200 data|400"),
    "deep extensions": (
        b'{"query":"{__typename}","extensions":{"a":' + b"[" * 900 + b"]" * 900 + b"}}",
        "200 data|400",
    ),
    "variables of 30,000 values": (variable(b"[" + b",".join([b"1"] * 30_000) + b"]"), VARIABLES),
    "variables of 300,000 lists": (variable(b"[" + b",".join([b"[]"] * 300_000) + b"]"), VARIABLES),
    "a text of 1,000,000 characters": (SEARCH + b"a" * 1_000_000 + b'"}}', "200|400|401 UNAUTHENTICATED"),
    "escapes of 1,000,000 bytes": (SEARCH + b"\\u00e9" * 160_000 + b'"}}', "200|400|401 UNAUTHENTICATED"),
    "a body of the limit": (TEXT[:-1] + b" " * (BODY_LIMIT - len(TEXT)) + b"}", ANSWERED),
    "a byte more than the limit": (TEXT[:-1] + b" " * (BODY_LIMIT - len(TEXT) + 1) + b"}", "413 BAD_REQUEST"),
    "a body of 20 MiB": (TEXT[:-1] + b" " * (20 << 20) + b"}", "413 BAD_REQUEST"),
    "the hash of a stored document": (
        b'{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"' + b"0" * 64 + b'"}}}',
        "400 PERSISTED_QUERY_NOT_SUPPORTED",
    ),
    "a document's id": (b'{"documentId":"sha256:abc","id":"1"}', "400 UNKNOWN_DOCUMENT"),
    "an upload map": (b'{"operations":"{}","map":{"0":["variables.file"]}}', BAD),
}
VALUES: dict[str, object] = {
    "null": None,
    "true": True,
    "a number": 7,
    "a fraction": 1.5,
    "a text": "abc",
    "an empty text": "",
    "a list": [1],
    "an object": {"a": 1},
}
RIGHT: dict[str, tuple[type, ...]] = {
    "query": (),
    "variables": (dict, type(None)),
    "operationName": (str, type(None)),
    "extensions": (dict, type(None)),
}


def wrong_type(key: str, name: str, value: object) -> Case:
    expected = ANSWERED if isinstance(value, RIGHT[key]) else BAD
    if isinstance(value, str) and key in ("query", "operationName"):
        # A document that does not parse; an operation that is not in the document. An empty name stands for none.
        expected = f"400|{ANSWERED}" if value == "" else "400"
    body = orjson.dumps({"query": "{__typename}", key: value})
    return request_case(GROUP, f"{key} is {name}", post(body), expected, nobody=f"{expected}|401 UNAUTHENTICATED|413")


def cases() -> Iterator[Case]:
    for name, (body, expected) in BODIES.items():
        yield request_case(GROUP, name, post(body), expected, nobody=f"{expected}|401 UNAUTHENTICATED|413")
    for key in RIGHT:
        for name, value in VALUES.items():
            yield wrong_type(key, name, value)
    yield request_case(GROUP, "a body that says nothing of itself", post(TEXT), ANSWERED, viewers=[NOBODY])
