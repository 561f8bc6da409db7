"""Who gets the tokens that demo mode gives away, and what people are told of it on each page."""

from starlette.types import Scope

from web.origins import host_of, is_loopback, own_origins

# A proxy adds one of these. Behind it every client looks like one on this machine.
FORWARDED = frozenset({b"forwarded", b"via", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip"})
Notice = dict[str, str]  # a text in Chinese and English
LOCAL: Notice = {
    "zh": "演示模式：数据均为虚构；本机上任何人无需登录即可获得各角色的令牌。请勿存放真实数据。",
    "en": "Demo mode: all data are invented, and anybody on this machine gets a token of each role without signing in."
    " Keep no real data here.",
}
EXPOSED: Notice = {
    "zh": "演示模式，其他机器也能访问：无需登录即可查看数据。请勿存放真实数据。",
    "en": "Demo mode, and other machines can reach it: everybody can read its data without signing in."
    " Keep no real data here.",
}


def notice(scope: Scope) -> Notice:
    """The notice of a demo to the people who look at its pages."""
    return EXPOSED if is_exposed(scope) else LOCAL


def asked_from_this_machine(scope: Scope) -> bool:
    """Whether a request comes from this machine, by a name of this machine, and not from another site's page.

    The address alone does not say so: a proxy on this machine may pass on requests from anywhere, and a browser on this
    machine may show a page from anywhere. A proxy that neither adds a header nor speaks HTTP/1.1 is recognised too.
    """
    headers = dict(scope["headers"])
    client, host = scope.get("client"), host_of(headers.get(b"host"))
    if client is None or not is_loopback(client[0]) or host is None or not is_loopback(host):
        return False
    if scope.get("http_version") == "1.0" or not FORWARDED.isdisjoint(headers):
        return False
    origin = headers.get(b"origin")
    if origin is not None and origin.lower() not in own_origins(
        headers[b"host"], secure=scope.get("scheme") == "https"
    ):
        return False
    return headers.get(b"sec-fetch-site", b"same-origin") in (b"same-origin", b"none")


def is_exposed(scope: Scope) -> bool:
    """Whether a request came in on an address that other machines can reach."""
    server, client = scope.get("server"), scope.get("client")
    return any(end is not None and not is_loopback(end[0]) for end in (server, client))
