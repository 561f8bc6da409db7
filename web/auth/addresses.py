"""Addresses: which are encrypted, and which are paths of this server."""

from urllib.parse import urlsplit

from web.origins import is_loopback

PATH_MAXIMUM = 500  # characters


def is_safe_url(url: object) -> bool:
    """Whether it is an address of HTTPS, or of HTTP on this machine."""
    if not isinstance(url, str):
        return False
    try:
        parts = urlsplit(url)
        return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
    except ValueError:
        return False


def local_path(path: str | None) -> str:
    """A path of this server; `/` for anything else, such as an address of another one."""
    if path is None or not path.startswith("/") or len(path) > PATH_MAXIMUM or not path.isprintable():
        return "/"
    # Browsers read a backslash as a slash, and two slashes as the beginning of a host.
    return "/" if "\\" in path or path.startswith("//") else path
