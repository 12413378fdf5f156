"""Figures of ``undegrade serve``: python benchmarks/page.py [--megapixels 12] [--requests 24]

Prints the time from a strength to the part of a large picture at that strength, requests per second on 512 x 512, and
resident memory of the server and of its worker at rest and at most. Linux.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
from memory import photo
from PIL import Image

SIDE = 192
"""Of the part, as the page asks at first."""


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    return file.getvalue()


def children(pid: int) -> list[int]:
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [int(one) for one in found.stdout.split()]


def megabytes(pid: int, field: str) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(rf"^{field}:\s+(\d+)", status, re.M)[1]) / 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--megapixels", type=float, default=12.0, metavar="M", help="of the picture (default: 12)")
    parser.add_argument("--requests", type=int, default=24, metavar="N", help="restorations to time (default: 24)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        log = Path(name) / "log"
        with log.open("wb") as said:
            server = subprocess.Popen([sys.executable, "-m", "undegrade", "serve", "--port", "0"], stderr=said)
        try:
            while not (address := re.search(r"(http://[^/]+)/", log.read_text())):
                time.sleep(0.05)
            with httpx.Client(base_url=address[1], timeout=1200) as client:
                measure(client, server.pid, args.megapixels, args.requests)
        finally:
            server.terminate()
            server.wait()


def measure(client: httpx.Client, server: int, megapixels: float, requests: int) -> None:
    while client.get("/health").json()["status"] != "ok":
        time.sleep(0.1)
    (worker,) = children(server)
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(f"memory at rest: server {megabytes(server, 'VmRSS'):.0f} MB, worker {megabytes(worker, 'VmRSS'):.0f} MB")

    desk = f"/desks/{client.post('/desks').json()['desk']}"
    large = photo(megapixels)
    with client.stream("GET", f"{desk}/events") as events:
        lines = events.iter_lines()
        began = time.perf_counter()
        picture = client.post(f"{desk}/pictures", params={"name": "large.png"}, content=png(large)).json()["picture"]
        found = next(event for event in map(parsed, lines) if event.get("event") in ("found", "failed"))
        assert found["event"] == "found", found
    print(f"{megapixels:g} MP read, and what was found: {time.perf_counter() - began:.1f} s")
    h, w = large.shape[:2]
    rows, columns = ([(n - SIDE) // 2, (n + SIDE) // 2] for n in (h, w))
    took = []
    for strength in (1.0, 1.1, 0.9, 0.8, 1.2, 1.3, 0.7, 0.6, 1.4):
        began = time.perf_counter()
        asked = {"strength": strength, "task": "gaussian"}
        part = client.post(f"{desk}/pictures/{picture}/part", json={"asked": asked, "rows": rows, "columns": columns})
        assert part.status_code == 200, part.text
        took.append(time.perf_counter() - began)
    print(
        f"strength of {SIDE} x {SIDE} in the middle of {megapixels:g} MP: {took[0]:.2f} s at first (the latent), then "
        f"median {np.median(took[1:]):.2f} s, {min(took[1:]):.2f} to {max(took[1:]):.2f}"
    )
    client.delete(desk)

    small = png(photo(0.262144)[:512, :512])
    began = time.perf_counter()
    with ThreadPoolExecutor(4) as clients:
        answers = list(
            clients.map(
                lambda i: client.post("/restore", files={"file": ("s.png", small)}, data={"task": "gaussian"}),
                range(requests),
            )
        )
    assert all(answer.status_code == 200 for answer in answers)
    seconds = time.perf_counter() - began
    print(f"512 x 512, task gaussian, 4 clients: {requests / seconds:.2f} requests per second")
    peaks = [megabytes(pid, "VmHWM") for pid in (server, *children(server))]
    print(f"memory at most: server {peaks[0]:.0f} MB, worker {peaks[1]:.0f} MB")


def parsed(line: str) -> dict[str, object]:
    return json.loads(line.removeprefix("data: ")) if line.startswith("data: ") else {}


if __name__ == "__main__":
    main()
