"""Runs the service: its private folder, its address, its token, and what is said about them."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import secrets
import signal
import socket
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from undegrade.errors import UndegradeError
from undegrade.serve.app import Service, make_app
from undegrade.serve.guard import LOCAL
from undegrade.serve.limits import Limits

SHORTEST_TOKEN = 16
CLIENTS = 128
"""Connections at once; further ones are refused with status 503."""


class Impatient(H11Protocol):
    """HTTP for clients that send the head of a request in time and read the answer; uvicorn would wait for ever."""

    PATIENCE = 20.0
    _head: asyncio.TimerHandle | None = None
    _answer: asyncio.TimerHandle | None = None
    """While one of them is awaited: what ends the connection."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._head = self.loop.call_later(self.PATIENCE, self.transport.close)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        begun = self.conn.their_state is h11.IDLE and self.conn.trailing_data[0]
        if begun and self._head is None:  # of a further request; the first has its time from the beginning
            self._head = self.loop.call_later(self.PATIENCE, self.transport.close)
        elif self.conn.their_state is not h11.IDLE:
            self._head = _stop(self._head)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._answer = self._answer or self.loop.call_later(self.PATIENCE, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._answer = _stop(self._answer)

    def connection_lost(self, exc: Exception | None) -> None:
        self._head, self._answer = _stop(self._head), _stop(self._answer)
        super().connection_lost(exc)


def _stop(timer: asyncio.TimerHandle | None) -> asyncio.TimerHandle | None:
    if timer is not None:
        timer.cancel()
    return None


def run(
    host: str = "127.0.0.1",
    port: int = 8000,
    *,
    token: str | None = None,
    names: Sequence[str] = (),
    limits: Limits | None = None,
    device: str | None = None,
    log_names: bool = False,
) -> int:
    """Serve until stopped; returns the exit code.

    Args:
        host: address to listen on. Any but the loopback's makes a token necessary.
        port: 0 for a free one.
        token: that every call needs; None for none on the loopback, else for one made up and printed.
        names: more host names under which the service may be called.
        limits: what clients may use.
        device: see :func:`undegrade.inference.load.load_pipeline`.
        log_names: whether its lines name pictures.

    Raises:
        UndegradeError: the token is too short, or the address cannot be used.
    """
    if token is not None and (len(token) < SHORTEST_TOKEN or not token.isascii() or not token.isprintable()):
        raise UndegradeError(f"the token is not {SHORTEST_TOKEN} or more ASCII characters; give another, or none.")
    local = is_loopback(host)
    made = token is None and not local
    if made:
        token = secrets.token_urlsafe(24)
    listening = _listening(host, port)
    port = listening.getsockname()[1]
    known = {*LOCAL, *names} | (set() if local else {host, socket.gethostname()})
    # uvicorn passes SIGTERM on when it has stopped: the folder must still be deleted then.
    signal.signal(signal.SIGTERM, _end)
    with tempfile.TemporaryDirectory(prefix="undegrade-") as name:
        tempfile.tempdir = name  # what the form parser spools to disk lies there too
        limits = limits or Limits()
        Impatient.PATIENCE = limits.patience
        service = Service(Path(name), limits, tuple(known), token, device, log_names)
        config = uvicorn.Config(
            make_app(service), http=Impatient, ws="none", log_level="warning", access_log=False,
            server_header=False, proxy_headers=False, limit_concurrency=CLIENTS, timeout_keep_alive=15,
            timeout_graceful_shutdown=2,
        )  # fmt: skip
        _say_where(host, port, token, made, local)
        server = uvicorn.Server(config)
        try:
            asyncio.run(server.serve(sockets=[listening]))
        except KeyboardInterrupt:
            pass
        finally:
            tempfile.tempdir = None
    return 0


def _end(number: int, frame: object) -> None:
    raise SystemExit(0)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _listening(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listening = socket.socket(family, socket.SOCK_STREAM)
        if os.name == "posix":
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UndegradeError(
            f"{host} port {port} cannot be used ({reason}); give another --host or --port, or --port 0 for a free one."
        ) from error
    return listening


def _say_where(host: str, port: int, token: str | None, made: bool, local: bool) -> None:
    """Only a token that was made up is printed: lines that are printed are often kept."""
    shown = "127.0.0.1" if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{port}/" + ("" if token is None else f"#token={token if made else 'TOKEN'}")
    lines = [f"undegrade serves its page at {address}", "Ctrl-C stops it."]
    if not local:
        lines[1:1] = [
            f"It listens on {host}: every machine that can reach this one can call it, and what it sends is not "
            "encrypted.",
            f"Each call needs the token{f' {token}' if made else ''}; keep it to yourself, and use a proxy with HTTPS "
            "beyond your own network.",
        ]
    print("\n".join(lines), file=sys.stderr, flush=True)
