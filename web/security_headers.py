"""Headers that every response has, whatever its path and status."""

# By lower-case name. A page adds a stricter Content-Security-Policy of its own; a browser obeys both.
SECURITY_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=(self)"),
)
# The same as bytes of HTTP/1.1.
SECURITY_LINES = b"".join(name + b": " + value + b"\r\n" for name, value in SECURITY_HEADERS)
# For responses over TLS only (RFC 6797, section 7.2): browsers use no other way for a year.
STRICT_TRANSPORT = (b"strict-transport-security", b"max-age=31536000")
