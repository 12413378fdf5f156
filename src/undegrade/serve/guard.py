"""What every request must pass before anything reads it, and what every response says to browsers."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from undegrade.serve.limits import Limits

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LOCAL = ("localhost", "127.0.0.1", "::1")
FORM = 100_000
"""Bytes that a request may have beside the file."""
SAFE = ("GET", "HEAD", "OPTIONS")
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
        "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


class Refused(HTTPException):
    """A request that is not answered; of Starlette's kind, so that what reads bodies passes it on."""


class Guard:
    """ASGI middleware: host, origin, token, size and pace.

    Args:
        app: what it guards.
        limits: of the service.
        names: host names under which the service may be called, besides addresses where ``token`` is given.
        token: that every call needs; None for none.
        visit: name and value of the cookie that does instead of the token. Not the token itself: browsers send cookies
            to every port of a host.
        free: paths of the page's own files, which need no token: they hold no data.
    """

    def __init__(
        self, app: App, limits: Limits, names: Iterable[str] = LOCAL, token: str | None = None,
        visit: tuple[str, str] = ("", ""), free: Callable[[str], bool] = lambda path: False,
    ) -> None:  # fmt: skip
        self._app, self._limits, self._names, self._token, self._free = app, limits, set(names), token, free
        self._visit = visit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def sent(message: MutableMapping[str, Any]) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
            await send(message)

        try:
            self._check(scope, Headers(scope=scope))
            await self._app(scope, self._paced(receive, Headers(scope=scope)), sent)
        except Refused as refused:
            if not started:
                # What is still to come is not read: the connection ends here.
                response = JSONResponse({"detail": refused.detail}, refused.status_code, {"connection": "close"})
                await response(scope, receive, sent)

    def _check(self, scope: Scope, headers: Headers) -> None:
        path, method = scope["path"], scope["method"]
        host = _host(headers.get("host", ""))
        # A name that leads here but is not ours is how DNS rebinding works. An address cannot be rebound.
        if host not in self._names and not (self._token is not None and _is_address(host)):
            raise Refused(421, "this host name is not known here; use the address that was printed.")
        origin, site = headers.get("origin"), headers.get("sec-fetch-site", "none")
        foreign = site not in ("none", "same-origin") or (origin is not None and _netloc(origin) != headers.get("host"))
        visit = method == "GET" and path == "/" and headers.get("sec-fetch-mode") == "navigate"
        if foreign and not visit:
            raise Refused(403, "a page of another site may not call this service.")
        if self._token is not None and not self._free(path) and not self._knows(headers):
            raise Refused(401, "a token is needed: send it as Authorization: Bearer TOKEN.")
        length = headers.get("content-length")
        if length is not None and (not length.isdecimal() or int(length) > self._limits.bytes + FORM):
            raise Refused(413, self._too_large())

    def _knows(self, headers: Headers) -> bool:
        given, right = headers.get("authorization", "").removeprefix("Bearer "), self._token
        if not given:
            name, right = self._visit
            try:
                cookie = SimpleCookie(headers.get("cookie", "")).get(name)
            except CookieError:
                cookie = None
            given = "" if cookie is None else cookie.value
        return bool(right) and hmac.compare_digest(given.encode("utf-8", "replace"), str(right).encode())

    def _paced(self, receive: Receive, headers: Headers) -> Receive:
        """The body as it comes: not more than allowed, and not slower."""
        expected = int(headers.get("content-length", 0))
        loop = asyncio.get_running_loop()
        began, read, whole = loop.time(), 0, False

        async def received() -> MutableMapping[str, Any]:
            nonlocal read, whole
            if whole:  # what follows is only that the client goes, for which one may wait
                return await receive()
            allowed = self._limits.patience + max(read, min(expected, read + 2**16)) / self._limits.rate
            left = min(began + allowed - loop.time(), self._limits.patience)
            try:
                message = await asyncio.wait_for(receive(), max(left, 0.01))
            except TimeoutError:
                raise Refused(408, "the file comes too slowly; send it faster.") from None
            read += len(message.get("body", b""))
            whole = not message.get("more_body", False)
            if read > self._limits.bytes + FORM:
                raise Refused(413, self._too_large())
            return message

        return received

    def _too_large(self) -> str:
        return f"the file is larger than {self._limits.bytes / 1e6:g} MB; allow more with --max-bytes."


def _netloc(origin: str) -> str:
    """Host and port of an Origin header; empty if it has none."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def _host(header: str) -> str:
    """The host of a Host header, without its port."""
    try:
        return urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return ""


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
