"""What clients do who mean no good, or are broken, beside what ``test_service`` has."""

from __future__ import annotations

import random
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.serve.conftest import Running, png


def connected(service: Running, **options: int) -> socket.socket:
    host, port = service.url.removeprefix("http://").split(":")
    connection = socket.socket()
    for name, value in options.items():
        connection.setsockopt(socket.SOL_SOCKET, getattr(socket, name), value)
    connection.connect((host, int(port)))
    connection.settimeout(60)
    return connection


def head(service: Running, path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: {service.url.removeprefix('http://')}\r\n\r\n".encode()


def test_half_a_head_after_a_whole_request_is_not_waited_for(service: Running) -> None:
    with connected(service) as connection:
        connection.sendall(head(service, "/health"))
        answer = b""
        while not answer.endswith(b"}"):  # head and body may come apart
            answer += connection.recv(65536)
        assert b" 200 " in answer
        for byte in b"GET /":  # each of them keeps the connection alive
            connection.sendall(bytes([byte]))
            time.sleep(0.05)
        assert connection.recv(65536) == b""


def test_who_does_not_read_the_answer_is_cut_off(service: Running) -> None:
    desk = httpx.post(f"{service.url}/desks").json()["desk"]
    number = httpx.post(f"{service.url}/desks/{desk}/pictures", content=png(800, 800)).json()["picture"]
    with connected(service, SO_RCVBUF=4096) as connection:
        # More than the system's buffers hold.
        connection.sendall(20 * head(service, f"/desks/{desk}/pictures/{number}/source"))

        def is_cut_off() -> bool:
            try:
                connection.send(b"x")
            except OSError:
                return True
            return False

        service.wait_for(is_cut_off, 60)
    httpx.delete(f"{service.url}/desks/{desk}")
    assert httpx.get(f"{service.url}/health").status_code == 200


@pytest.mark.parametrize("origin", ["http://[", "http://", "", "127.0.0.1", "null", "http://127.0.0.1:1 evil"])
def test_an_origin_that_is_none_is_foreign(service: Running, origin: str) -> None:
    assert httpx.post(f"{service.url}/desks", headers={"origin": origin}).status_code == 403


def test_a_form_holds_one_file_and_a_few_short_fields(service: Running) -> None:
    url, content = f"{service.url}/restore", png(12, 12)
    two = [("file", ("a.png", content)), ("file", ("b.png", content))]
    assert httpx.post(url, files=two).status_code == 400
    many = {f"field{i}": "x" for i in range(500)}
    assert httpx.post(url, files={"file": content}, data=many).status_code == 400
    assert httpx.post(url, files={"file": content}, data={"task": "x" * 500_000}).status_code == 400
    assert httpx.post(url, content=b"--x", headers={"content-type": "multipart/form-data"}).status_code in (400, 422)
    assert httpx.post(url, files={"file": content}, data={"task": "gaussian"}, timeout=60).status_code == 200


def test_a_name_is_no_header(service: Running) -> None:
    with httpx.Client(base_url=service.url, timeout=60) as client:
        desk = f"/desks/{client.post('/desks').json()['desk']}"
        name = 'a"\r\nX-Evil: 1\r\n\r\n<b>\u202e.png'
        number = client.post(f"{desk}/pictures", params={"name": name}, content=png(12, 12)).json()["picture"]
        picture = f"{desk}/pictures/{number}"
        assert client.post(f"{picture}/restore", json={"task": "gaussian"}).status_code == 200
        service.wait_for(lambda: client.get(f"{desk}/zip").status_code == 200)
        answer = client.get(f"{picture}/result-1", params={"download": "true"})
        assert answer.status_code == 200
        assert "x-evil" not in answer.headers
        assert answer.headers["content-disposition"].startswith("attachment; filename")
        client.delete(desk)


def test_cancels_from_everywhere_leave_nothing(service: Running) -> None:
    """Restored, cancelled, zipped and removed at once: each call is answered, and the next picture is restored."""
    restarts = httpx.get(f"{service.url}/health").json()["restarts"]
    with httpx.Client(base_url=service.url, timeout=60) as client:
        desk = f"/desks/{client.post('/desks').json()['desk']}"
        numbers = [client.post(f"{desk}/pictures", content=png(40, 40, seed=i)).json()["picture"] for i in range(4)]

        def call(seed: int) -> int:
            chance = random.Random(seed)
            picture = f"{desk}/pictures/{chance.choice(numbers)}"
            kind = chance.choice(("restore", "cancel", "cancel", "zip", "part", "remove" if seed > 90 else "restore"))
            if kind == "remove":
                return client.delete(picture).status_code
            if kind == "zip":
                return client.get(f"{desk}/zip").status_code
            asked = {"task": "gaussian", "strength": chance.random()}
            part = {"asked": asked, "rows": [0, 16], "columns": [0, 16]}
            return client.post(f"{picture}/{kind}", json={"restore": asked, "part": part}.get(kind)).status_code

        with ThreadPoolExecutor(8) as callers:
            assert set(callers.map(call, range(120))) <= {200, 404, 422, 429}
        client.delete(desk)
    assert list(service.folder.glob("desk-*/*")) == []
    answer = httpx.post(f"{service.url}/restore", files={"file": png(16, 16)}, data={"task": "gaussian"}, timeout=60)
    assert answer.status_code == 200
    health = httpx.get(f"{service.url}/health").json()
    assert (health["waiting"], health["restarts"]) == (0, restarts), service.said()
