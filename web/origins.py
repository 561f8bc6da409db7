"""Checks the Host and Origin headers of every request and WebSocket.

Host: a page on the internet can have its own name resolve to an address of this network (DNS rebinding), and its
requests then carry that name. So a name must be known. An IP address in Host is none that such a page can have.

Origin: browsers send a session's cookie with requests that other sites' pages make, and let those pages open
WebSockets, which need no permission of the server. So where a browser says that another site's page asks, nothing is
changed and no stream is opened, unless HUHANG_ORIGINS lists that site; and a request with nothing but a cookie must
show that the server's own page sends it. No browser sends a bearer token by itself, so its holder may ask from
anywhere.
"""

import ipaddress
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.types import Scope

from models.reason import Reason
from resolvers.errors import ErrorCode, RequestError
from web.auth.credentials import COOKIES
from web.headers import read_headers

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
STREAM_MEDIA = (b"text/event-stream", b"multipart/mixed")
STREAM_PATH = "/graphql/stream"
REMEMBERED = 1_000  # accepted values of Host
DEFAULT_PORTS = {"http": ":80", "https": ":443"}

BAD_HOST = RequestError(
    ErrorCode.BAD_HOST,
    Reason("HOST_UNKNOWN", "This server is not known by the name in the Host header. HUHANG_HOSTS lists its names."),
)
FOREIGN_ORIGIN = RequestError(
    ErrorCode.BAD_ORIGIN,
    Reason("ORIGIN_FOREIGN", "The page that asks is not of this server, and HUHANG_ORIGINS does not list its origin."),
)
NO_ORIGIN = RequestError(
    ErrorCode.BAD_ORIGIN,
    Reason("ORIGIN_NEEDED", "With a session's cookie this needs an Origin header, or else send a bearer token."),
)


def split_list(text: str | None) -> list[str]:
    """The parts of a list in a setting, separated by commas, in lower case."""
    return [part.strip().lower() for part in (text or "").split(",") if part.strip()]


def host_names(text: str | None) -> frozenset[str]:
    """The names of HUHANG_HOSTS. Raises ValueError."""
    names = split_list(text)
    for name in names:
        if not is_name(name):
            raise ValueError(f"{name}: a host is a name without scheme, port or path, such as huhang.example.org")
    return frozenset(names)


def origins(text: str | None) -> frozenset[bytes]:
    """The origins of HUHANG_ORIGINS. Raises ValueError."""
    listed = split_list(text)
    for origin in listed:
        parts = urlsplit(origin)
        if parts.scheme not in DEFAULT_PORTS or origin != f"{parts.scheme}://{parts.netloc}" or "@" in origin:
            raise ValueError(
                f"{origin}: origins are separated by commas, each a scheme, a name and perhaps a port: "
                "https://map.example.org,https://wall.example.org"
            )
    return frozenset(origin.encode() for origin in listed)


def is_name(text: str) -> bool:
    return 0 < len(text) <= 253 and text.isascii() and all(c.isalnum() or c in "-._" for c in text)


def is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether a name or an IP address, without port and brackets, stands for this machine only."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def host_of(value: bytes | None) -> str | None:
    """The host in a Host header, in lower case without port and brackets; None if the header is none."""
    if value is None or len(value) > 300:
        return None
    text = value.decode("latin-1").lower()
    if text.startswith("["):
        host, bracket, port = text[1:].partition("]")
        valid = bracket and (not port or port.startswith(":")) and ":" in host and is_address(host)
        port = port[1:]
    else:
        host, _, port = text.partition(":")
        valid = is_name(host)
    return host if valid and (not port or (port.isascii() and port.isdigit() and len(port) <= 5)) else None


class OriginPolicy:
    """The hosts and origins that are accepted. `hosts` are names besides this machine's own and IP addresses.

    `allowed` are the origins of other sites whose pages may do what the server's own may.
    """

    def __init__(self, hosts: Iterable[str] = (), allowed: Iterable[bytes] = ()) -> None:
        own = socket.gethostname().lower()
        self._names = frozenset({*hosts, own, f"{own}.local"})
        self.allowed = frozenset(allowed)
        self._accepted: set[bytes] = set()

    def check(self, scope: Scope) -> RequestError | None:
        """Why an HTTP request or a WebSocket is refused; None if it is not."""
        headers = read_headers(scope)
        # A repeated header is rare, and only then a header may hide behind another one.
        repeated = len(headers) != len(scope["headers"])
        if headers.get(b"host") not in self._accepted or repeated:
            hosts = [value for name, value in scope["headers"] if name == b"host"]
            if len(hosts) != 1 or not self._accept_host(hosts[0]):
                return BAD_HOST
        if b"origin" not in headers and b"cookie" not in headers:
            return None
        if scope["type"] == "http" and scope["method"] in SAFE_METHODS and not opens_stream(scope, headers):
            return None
        return self._check_origin(scope, headers)

    def _accept_host(self, value: bytes) -> bool:
        host = host_of(value)
        if host is None or not (host in self._names or is_loopback(host) or is_address(host)):
            return False
        if len(self._accepted) >= REMEMBERED:
            self._accepted.clear()
        self._accepted.add(value)
        return True

    def _check_origin(self, scope: Scope, headers: dict[bytes, bytes]) -> RequestError | None:
        if headers.get(b"authorization", b"")[:7].lower() == b"bearer ":
            return None
        given = {value.lower() for name, value in scope["headers"] if name == b"origin"}
        if given:
            secure = scope.get("scheme") in ("https", "wss")
            own = own_origins(headers[b"host"], secure=secure)
            return None if all(origin in own or origin in self.allowed for origin in given) else FOREIGN_ORIGIN
        # A browser sends no Origin when its page opens a stream of its own server by GET, but it says so here.
        if headers.get(b"sec-fetch-site") == b"same-origin" or not has_session_cookie(scope):
            return None
        return NO_ORIGIN


def own_origins(host: bytes, *, secure: bool) -> frozenset[bytes]:
    """The origins of pages that this server has served under the name in a Host header.

    Where the server does not see TLS, a proxy before it may have ended it.
    """
    name, own = host.lower().decode("latin-1"), set()
    for scheme in ("https",) if secure else ("http", "https"):
        own.add(f"{scheme}://{name.removesuffix(DEFAULT_PORTS[scheme])}".encode("latin-1"))
    return frozenset(own)


def opens_stream(scope: Scope, headers: dict[bytes, bytes]) -> bool:
    """Whether a safe request may be answered by a stream."""
    accepted = headers.get(b"accept", b"").lower()
    return scope["path"] == STREAM_PATH or any(media in accepted for media in STREAM_MEDIA)


def has_session_cookie(scope: Scope) -> bool:
    cookies = (value for name, value in scope["headers"] if name == b"cookie")
    names = {pair.partition(b"=")[0].strip() for value in cookies for pair in value.split(b";")}
    return any(name in names for name in COOKIES)
