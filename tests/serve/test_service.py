"""The service as programs use it: what it answers, what it refuses, and what it withstands."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from PIL import Image

from tests.serve.conftest import KNOWING, Running, png

FOUND = "x-undegrade-found"


def restore(service: Running, content: bytes, name: str = "photo.png", **fields: str) -> httpx.Response:
    return httpx.post(f"{service.url}/restore", files={"file": (name, content)}, data=fields, timeout=120)


def by_command(folder: Path, content: bytes, *options: str) -> bytes:
    """The result of the command line."""
    (folder / "photo.png").write_bytes(content)
    command = [
        sys.executable,
        "-m",
        "undegrade",
        "restore",
        str(folder / "photo.png"),
        "-o",
        str(folder / "out"),
        *options,
    ]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    (result,) = (folder / "out").iterdir()
    return result.read_bytes()


def test_a_restored_file_is_the_command_lines_bit_for_bit(service: Running, tmp_path: Path) -> None:
    content = png(70, 90)
    answer = restore(service, content, strength="0.7")
    assert answer.status_code == 200
    assert answer.content == by_command(tmp_path, content, "--strength", "0.7")
    assert answer.headers["content-type"] == "image/png"
    record = json.loads(answer.headers[FOUND])
    assert record["task"] == "universal"
    assert record["estimate"]["names"][0] == "noise level"
    assert record["estimate"]["values"][0] == pytest.approx(20, abs=4)
    assert "source" not in record
    assert "output" not in record
    service.wait_for(lambda: not list(service.folder.glob("call-*")))  # deleted after the answer


def test_estimate_gives_named_numbers(service: Running) -> None:
    answer = httpx.post(f"{service.url}/estimate", files={"file": ("x.png", png(80, 96, noise=30))}, timeout=120).json()
    readings = {one["name"]: one for one in answer["found"]}
    assert {"noise level", "grain", "JPEG quality"} == set(readings)
    assert readings["noise level"]["value"] == pytest.approx(30, abs=5)
    assert readings["noise level"]["spread"] > 0
    assert "noisy" in readings["noise level"]["words"]
    assert (answer["width"], answer["height"], answer["format"]) == (96, 80, "png")
    assert answer["task"] == "universal"


def test_another_model_reads_what_it_reads(service: Running) -> None:
    def found(task: str) -> httpx.Response:
        return httpx.post(f"{service.url}/estimate", files={"file": ("x.png", png())}, data={"task": task}, timeout=120)

    (blur,) = found("sr-x2").json()["found"]
    assert (blur["name"], blur["unit"]) == ("blur", "pixels of the result")
    assert blur["words"]
    assert "no task 'nonsense'" in found("nonsense").json()["detail"]


def test_a_model_without_a_scale_head_says_so_at_once(sure_service: Running) -> None:
    answer = restore(sure_service, png(), uncertainty="true")
    assert answer.status_code == 422
    assert "have no scale head, so the uncertainty is not known" in answer.json()["detail"]


def test_with_uncertainty_the_answer_holds_both_pictures(sure_service: Running) -> None:
    content = png(40, 52)
    plain = restore(sure_service, content, task="gaussian")
    both = restore(sure_service, content, "../my photo.png", task="gaussian", uncertainty="true")
    assert both.status_code == 200, both.text
    assert both.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(both.content)) as archive:
        assert archive.namelist() == ["my photo.png", "my photo-uncertainty.png"]
        assert archive.read("my photo.png") == plain.content
        widths = Image.open(io.BytesIO(archive.read("my photo-uncertainty.png")))
        assert (widths.size, widths.mode) == ((52, 40), "I;16")
    record = json.loads(both.headers[FOUND])["uncertainty"]
    assert record["level"] == 0.9
    assert "may be off by more than" in record["words"]
    assert restore(sure_service, content, task="gaussian", uncertainty="true", strength="0.5").status_code == 422
    sure_service.wait_for(lambda: not list(sure_service.folder.glob("call-*")))


def test_health_models_and_description(service: Running) -> None:
    assert httpx.get(f"{service.url}/health").json()["status"] == "ok"
    models = httpx.get(f"{service.url}/models").json()
    assert {"gaussian", "jpeg", "sr-x2"} <= {model["task"] for model in models}
    described = httpx.get(f"{service.url}/openapi.json").json()
    assert set(described["paths"]) == {"/health", "/models", "/restore", "/estimate"}
    page = httpx.get(f"{service.url}/api").text
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"strength": "5"}, "out of range"),
        ({"sigma": "10", "quality": "20"}, "exclude each other"),
        ({"task": "nonsense"}, "no task 'nonsense'"),
        ({"samples": "1"}, "out of range"),
        ({"task": "jpeg", "sigma": "20"}, "estimates none"),
        ({"strength": "much"}, "strength: "),
    ],
)
def test_wrong_options_get_one_sentence(service: Running, fields: dict[str, str], sentence: str) -> None:
    answer = restore(service, png(), **fields)
    assert answer.status_code == 422
    assert sentence in answer.json()["detail"]


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb(side: int) -> bytes:
    """A PNG of a few kB that says it has side x side pixels."""
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(1_000_000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def flat(height: int, width: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height)).save(file, "PNG")
    return file.getvalue()


def test_pictures_that_cannot_be_read_get_one_sentence(service: Running) -> None:
    worker = service.worker
    for content, sentence in (
        (b"no picture", "is not a PNG"),
        (b"", "is empty"),
        (png()[:200], "damaged"),
        (bomb(30_000), "million pixels"),
        (flat(2100, 2000), "over the limit of 4 million"),
    ):
        answer = restore(service, content)
        assert answer.status_code == 422
        assert sentence in answer.json()["detail"]
        assert str(service.folder) not in answer.text
    assert service.worker == worker
    assert restore(service, png()).status_code == 200


def test_too_many_bytes_are_refused_before_they_are_read(service: Running) -> None:
    assert restore(service, bytes(3_000_000)).status_code == 413
    # Without a length, as soon as there are too many.
    with httpx.Client() as client:
        desk = client.post(f"{service.url}/desks").json()["desk"]
        answer = client.post(
            f"{service.url}/desks/{desk}/pictures", content=(bytes(65536) for _ in range(60)), params={"name": "x.png"}
        )
    assert answer.status_code == 413
    assert list(service.folder.glob("desk-*/*")) == []


@pytest.mark.parametrize(
    "name", ["../../evil.png", "/etc/passwd", "..\\..\\evil.png", "a/../../b.png", "..", "\x00.png"]
)
def test_names_from_clients_are_no_paths(service: Running, name: str) -> None:
    before = {path for path in service.temporary.rglob("*") if path.name != "log"}
    answer = restore(service, png(), name=name)
    assert answer.status_code == 200
    disposition = answer.headers["content-disposition"]
    assert "/" not in disposition.replace("UTF-8''", "")
    assert ".." not in disposition
    service.wait_for(lambda: not list(service.folder.glob("call-*")))
    after = {path for path in service.temporary.rglob("*") if path.name != "log"}
    assert after <= before | {service.folder}
    assert not Path("evil.png").exists()
    desk = httpx.post(f"{service.url}/desks").json()["desk"]
    for wanted in ("..%2F..%2Flog", "%2Fetc%2Fpasswd", "..", "source%00"):
        assert httpx.get(f"{service.url}/desks/{desk}/pictures/1/{wanted}").status_code in (404, 405)


def test_other_hosts_and_other_sites_are_refused(service: Running) -> None:
    def status(method: str = "GET", path: str = "/health", **headers: str) -> int:
        return httpx.request(
            method, service.url + path, headers={k.replace("_", "-"): v for k, v in headers.items()}
        ).status_code

    own = service.url.removeprefix("http://")
    assert status(host="evil.example") == 421
    assert status(host=f"127.0.0.1.evil.example:{own.rpartition(':')[2]}") == 421
    assert status(host="192.168.1.7") == 421
    assert status(host=f"localhost:{own.rpartition(':')[2]}") == 200
    assert status("POST", "/desks", origin="https://evil.example") == 403
    assert status("POST", "/desks", origin="null") == 403
    assert status("POST", "/desks", origin="http://127.0.0.1:1") == 403
    assert status("POST", "/desks", origin=service.url) == 200
    assert status("POST", "/desks", sec_fetch_site="cross-site") == 403
    assert status(sec_fetch_site="same-site") == 403
    assert status(path="/", sec_fetch_site="cross-site", sec_fetch_mode="navigate") == 200


def test_every_answer_says_what_browsers_may_do(service: Running) -> None:
    for path in ("/", "/page/main.js", "/health", "/nothing", "/desks/none/events"):
        headers = httpx.get(service.url + path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in headers
    text = httpx.get(service.url).text
    assert "<script>" not in text
    assert "style=" not in text


def test_a_slow_client_is_cut_off_and_hinders_nobody(service: Running) -> None:
    host, port = service.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as slow:
        head = f"POST /restore HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: 1000000\r\n"
        slow.sendall(f"{head}Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n".encode())
        assert restore(service, png()).status_code == 200
        slow.settimeout(60)
        assert b" 408 " in slow.recv(4096)
    with socket.create_connection((host, int(port))) as silent:  # not even a head
        silent.sendall(b"GET /hea")
        silent.settimeout(60)
        assert silent.recv(4096) == b""


@pytest.mark.parametrize("count", [100, pytest.param(300, marks=pytest.mark.slow)])
def test_many_requests_of_eight_clients(service: Running, count: int) -> None:
    """Nothing is lost, nothing is mixed up: a full queue says when to come again."""
    contents = [png(12, 12 + i % 7, seed=i) for i in range(20)]

    def one(i: int) -> bool:
        content = contents[i % len(contents)]
        while True:
            answer = restore(service, content, f"{i}.png", task="gaussian")
            if answer.status_code != 429:
                break
            time.sleep(min(float(answer.headers["retry-after"]), 0.2))
        assert answer.status_code == 200
        assert f'"{i}.png"' in answer.headers["content-disposition"]
        return json.loads(answer.headers[FOUND])["width"] == 12 + (i % 20) % 7

    with ThreadPoolExecutor(8) as clients:
        assert sum(clients.map(one, range(count))) == count
    service.wait_for(lambda: not list(service.folder.glob("call-*")))  # deleted after the answer
    assert "photo.png" not in service.said()


def test_a_full_queue_says_when_to_come_again(tmp_path: Path) -> None:
    running = Running("--max-queue", "2", temporary=tmp_path)
    try:
        running.wait_until_ready()
        with ThreadPoolExecutor(8) as clients:
            answers = list(clients.map(lambda i: restore(running, png(150, 160, seed=i)), range(8)))
        statuses = [answer.status_code for answer in answers]
        assert set(statuses) == {200, 429}
        assert all(int(a.headers["retry-after"]) >= 1 for a in answers if a.status_code == 429)
        assert httpx.get(f"{running.url}/health").json()["waiting"] == 0
    finally:
        running.stop()


def test_a_worker_that_cannot_start_says_why_once(tmp_path: Path) -> None:
    folder, start = tmp_path / "weights", tmp_path / "start"
    folder.mkdir()
    start.mkdir()
    (folder / "universal-wide.json").write_text("{}")
    (folder / "universal-wide.safetensors").touch()
    (start / "sitecustomize.py").write_text(KNOWING.format(folder=str(folder)))
    path = os.pathsep.join(filter(None, (str(start), os.environ.get("PYTHONPATH"))))
    running = Running(temporary=tmp_path, environment={"PYTHONPATH": path})
    try:
        running.wait_for(lambda: httpx.get(f"{running.url}/health").json()["restarts"] >= 2)
        assert running.said().count("universal-wide.json: ") == 1, running.said()
    finally:
        running.stop()


def test_a_worker_that_is_killed_costs_one_job(tmp_path: Path) -> None:
    running = Running(temporary=tmp_path)
    try:
        running.wait_until_ready()
        first = running.worker
        with ThreadPoolExecutor(3) as clients:
            jobs = [clients.submit(restore, running, png(500, 500), task="gaussian", strength="0.5") for _ in range(2)]
            time.sleep(0.7)
            os.kill(first, signal.SIGKILL)
            answers = [job.result() for job in jobs]
        assert sorted(answer.status_code for answer in answers) == [200, 422]
        (failed,) = (answer for answer in answers if answer.status_code == 422)
        assert "the worker ended" in failed.json()["detail"]
        assert "SIGKILL" in failed.json()["detail"]
        assert running.worker != first
        assert httpx.get(f"{running.url}/health").json()["restarts"] == 1
    finally:
        running.stop()


def test_a_time_limit(tmp_path: Path) -> None:
    running = Running("--max-seconds", "2", temporary=tmp_path)
    try:
        running.wait_until_ready()
        answer = restore(running, png(1500, 1500, noise=0), task="gaussian", strength="2")
        assert answer.status_code == 422
        assert "--max-seconds" in answer.json()["detail"]
        running.wait_until_ready()
        assert restore(running, png(16, 16), task="gaussian").status_code == 200
    finally:
        running.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not know such a limit")
def test_a_memory_limit(tmp_path: Path) -> None:
    """A flat picture of 96 MP is a small file; its pixels are 288 MB."""
    running = Running("--max-memory", "0.5", temporary=tmp_path)
    try:
        running.wait_until_ready()
        answer = restore(running, flat(8000, 12000), task="gaussian")
        assert answer.status_code == 422
        assert "allow more with --max-memory" in answer.json()["detail"]
        running.wait_until_ready()
        assert restore(running, png(16, 16), task="gaussian").status_code == 200
    finally:
        running.stop()


def test_a_token_is_needed_beyond_this_machine(tmp_path: Path) -> None:
    running = Running(
        "--host", "0.0.0.0", temporary=tmp_path, environment={"UNDEGRADE_TOKEN": "0123456789abcdef-right"}
    )
    try:
        url = running.url
        assert "every machine" in running.said()
        assert httpx.get(f"{url}/").status_code == 200
        for path in ("/health", "/models", "/openapi.json", "/desks/x/events"):
            assert httpx.get(url + path).status_code == 401
        assert httpx.post(f"{url}/restore", files={"file": ("x.png", png())}).status_code == 401
        assert httpx.get(f"{url}/health", headers={"authorization": "Bearer 0123456789abcdef-wrong"}).status_code == 401
        right = {"authorization": "Bearer 0123456789abcdef-right"}
        assert httpx.get(f"{url}/health", headers=right).status_code == 200
        opened = httpx.post(f"{url}/desks", headers=right)
        assert "0123456789abcdef-right" not in opened.headers["set-cookie"]  # every port of a host is sent its cookies
        assert "0123456789abcdef-right" not in running.said()
        assert "HttpOnly" in opened.headers["set-cookie"]
        assert "samesite=strict" in opened.headers["set-cookie"].lower()
        assert httpx.get(f"{url}/health", cookies=dict(opened.cookies)).status_code == 200
        assert httpx.get(f"{url}/health", headers=right | {"host": "evil.example"}).status_code == 421
    finally:
        running.stop()
    assert list(tmp_path.glob("undegrade-*")) == []
