"""What a request proves its sender with: which header counts, and what is malformed."""

import pytest

from resolvers.errors import ErrorCode, RequestError
from web.auth.credentials import SECRET_MAXIMUM, Credentials, credentials


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({b"authorization": b"Bearer abc"}, Credentials("bearer", "abc")),
        ({b"authorization": b"bearer   abc  "}, Credentials("bearer", "abc")),
        ({b"cookie": b"theme=dark"}, None),
        ({b"cookie": b"huhang="}, None),
        ({b"cookie": b"xhuhang=a; huhangx=b; huhang"}, None),
        ({b"cookie": b"huhang=abc"}, Credentials("cookie", "abc")),
        ({b"cookie": b"a=b;huhang=abc ; c=d"}, Credentials("cookie", "abc")),
        ({b"cookie": b"huhang=abc; huhang=def"}, Credentials("cookie", "abc")),
        # The cookie that only the server itself can have set counts first, wherever it stands.
        ({b"cookie": b"huhang=abc; __Host-huhang=def"}, Credentials("cookie", "def")),
        ({b"cookie": b"huhang=" + b"a" * (SECRET_MAXIMUM + 1)}, None),
        # A token is sent on purpose; a browser adds the cookie by itself.
        ({b"cookie": b"huhang=abc", b"authorization": b"Bearer def"}, Credentials("bearer", "def")),
    ],
)
def test_the_credentials_of_a_request(headers: dict[bytes, bytes], expected: Credentials | None) -> None:
    assert credentials(headers) == expected


@pytest.mark.parametrize(
    "value",
    [b"", b"Bearer", b"Bearer ", b"Basic dXNlcjpwYXNz", b"abc", b"Bearer " + b"a" * (SECRET_MAXIMUM + 1)],
    ids=lambda value: value[:12].decode(),
)
def test_a_malformed_header_is_refused_also_beside_a_cookie(value: bytes) -> None:
    with pytest.raises(RequestError) as refused:
        credentials({b"authorization": value, b"cookie": b"huhang=abc"})
    assert refused.value.code is ErrorCode.UNAUTHENTICATED
