"""The page in a real browser: the system's Chromium, driven by Playwright (``make test-page``)."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serve.conftest import Running, png

sync_api = pytest.importorskip("playwright.sync_api")

pytestmark = pytest.mark.page

OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
LONG = 120_000
"""Milliseconds for what a network does."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    service = Running("--max-pixels", "4", temporary=tmp_path_factory.mktemp("service"))
    service.wait_until_ready()
    yield service
    service.stop()


@pytest.fixture(scope="module")
def playwright() -> Iterator[sync_api.Playwright]:
    with sync_api.sync_playwright() as started:
        yield started


class Opened:
    """The page in a browser with a fresh profile; anything that goes wrong in its scripts is noted."""

    def __init__(self, playwright: sync_api.Playwright, url: str, profile: Path, width: int = 1280, **settings: object):
        chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
        assert chromium is not None, "install chromium: apt-get install chromium"
        self.context = playwright.chromium.launch_persistent_context(
            str(profile), executable_path=chromium, args=OPTIONS, viewport={"width": width, "height": 800}, **settings
        )
        self.page = self.context.pages[0]
        self.wrong: list[str] = []
        self.elsewhere: list[str] = []
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("console", lambda message: message.type == "error" and self.wrong.append(message.text))
        own = url.split("#")[0].rstrip("/")
        self.page.on("request", lambda r: r.url.startswith((own, "blob:" + own)) or self.elsewhere.append(r.url))
        self.page.goto(url)
        self.page.locator("body[data-ready]").wait_for(timeout=LONG)

    def take(self, *files: Path) -> None:
        self.page.set_input_files("#files", [str(file) for file in files])

    def wait_for_state(self, text: str | re.Pattern[str]) -> None:
        self.page.locator("#state", has_text=text).wait_for(timeout=LONG)

    def pick(self, name: str) -> None:
        self.page.locator(".pick", has_text=name).click()


@pytest.fixture
def opened(playwright: sync_api.Playwright, running: Running, tmp_path: Path) -> Iterator[Opened]:
    page = Opened(playwright, running.url, tmp_path / "profile")
    yield page
    page.context.close()
    assert page.wrong == []
    assert page.elsewhere == []


def write(folder: Path, name: str, content: bytes) -> Path:
    (folder / name).write_bytes(content)
    return folder / name


def by_command(command: str, folder: Path) -> None:
    """Run the command line that the page shows, in the folder of the picture."""
    words = command.replace("undegrade", f"{sys.executable} -m undegrade", 1)
    source = {"PYTHONPATH": str(Path("src").resolve()), "OMP_NUM_THREADS": "1"}
    subprocess.run(words, shell=True, check=True, cwd=folder, capture_output=True, env={**os.environ, **source})


def test_from_a_dropped_file_to_a_download_that_is_the_command_lines(opened: Opened, tmp_path: Path) -> None:
    page = opened.page
    photo = write(tmp_path, "photo.png", png(140, 180, noise=25))
    # A drop as the browser delivers it.
    bits = list(photo.read_bytes())
    transfer = page.evaluate_handle(
        "bits => { const t = new DataTransfer(); t.items.add(new File([new Uint8Array(bits)], 'photo.png', "
        "{ type: 'image/png' })); return t; }", bits,
    )  # fmt: skip
    page.dispatch_event("#view" if page.locator("#view").is_visible() else ".drop", "drop", {"dataTransfer": transfer})
    assert page.locator("#before").get_attribute("src", timeout=5000).startswith("blob:")  # at once, the browser's own
    opened.wait_for_state("Restored by universal")

    # What was found, in words and numbers, and where.
    assert "noisy" in page.locator("#summary").inner_text()
    number = float(page.locator("#found .number").first.inner_text())
    assert number == pytest.approx(25, abs=5)
    assert re.search(r"[\d.]+ to [\d.]+", page.locator("#found .spread").first.inner_text())  # a 90 % interval
    page.locator("#found button").first.click()
    page.locator("#overlay:not([hidden])").wait_for()
    page.locator("#view").hover(position={"x": 440, "y": 250})
    assert re.search(r"noise level \d+\.\d levels", page.locator("#under").inner_text())
    page.locator("#found button").first.click()

    # The strength: while the slider is held the middle, then the whole.
    slider = page.locator("#strength")
    first = page.locator("#after").get_attribute("src")
    box = slider.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2  # of 0 to 2 it is at 1
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - box["width"] / 4, y, steps=5)
    page.locator("#part:not([hidden])").wait_for(timeout=LONG)
    page.mouse.up()
    page.locator("#part[hidden]").wait_for(timeout=LONG, state="attached")
    opened.wait_for_state("Restored by universal")
    # By keyboard too.
    slider.focus()
    steps = round((float(slider.input_value()) - 0.7) / 0.05)
    for _ in range(abs(steps)):
        page.keyboard.press("ArrowLeft" if steps > 0 else "ArrowRight")
    page.locator("#command", has_text="--strength 0.7").wait_for(timeout=LONG)
    opened.wait_for_state("Restored by universal")
    assert page.locator("#after").get_attribute("src") != first
    assert page.locator("#strength-value").inner_text() == "0.70"

    # The boundary between before and after.
    page.locator("#split").focus()
    before = page.evaluate("getComputedStyle(document.querySelector('.after')).clipPath")
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    assert page.evaluate("getComputedStyle(document.querySelector('.after')).clipPath") != before

    with page.expect_download() as download:
        page.locator("#download").click()
    assert download.value.suggested_filename == "photo.png"
    command = page.locator("#command").inner_text()
    assert command == "undegrade restore photo.png -o restored --strength 0.7"
    by_command(command, tmp_path)
    assert Path(download.value.path()).read_bytes() == (tmp_path / "restored" / "photo.png").read_bytes()


def test_a_part_that_comes_after_the_whole_does_not_cover_it(opened: Opened, tmp_path: Path) -> None:
    page = opened.page
    opened.take(write(tmp_path, "photo.png", png(140, 180, noise=25)))
    opened.wait_for_state("Restored by")
    held: list[sync_api.Route] = []
    page.route("**/part", lambda route: held.append(route))
    first = page.locator("#after").get_attribute("src")
    page.locator("#strength").focus()
    page.keyboard.press("ArrowLeft")
    page.wait_for_function("first => document.querySelector('#after').src !== new URL(first, location).href", arg=first)
    opened.wait_for_state("Restored by")
    held[0].continue_()
    page.locator("body[data-part-took]").wait_for(timeout=LONG)
    assert page.locator("#part").is_hidden()


def test_a_broken_file_among_good_ones_and_all_as_zip(opened: Opened, tmp_path: Path) -> None:
    page = opened.page
    names = ["one.png", "two.png", "three.png"]
    good = [write(tmp_path, name, png(40, 50, seed=i)) for i, name in enumerate(names)]
    opened.take(good[0], write(tmp_path, "broken.png", png()[:300]), *good[1:])
    page.locator(".mark.bad", has_text="failed").wait_for(timeout=LONG)
    for name in names:
        opened.pick(name)
        opened.wait_for_state("Restored by")
    opened.pick("broken.png")
    assert page.locator("#state").inner_text() == "This file cannot be used."
    assert "damaged" in page.locator("#placeholder").inner_text()
    assert "damaged" in page.locator(".pick", has_text="broken.png").get_attribute("aria-label")
    with page.expect_download() as download:
        page.locator("#zip").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        assert sorted(archive.namelist()) == sorted(names)
        assert archive.testzip() is None


def test_cancelling(opened: Opened, tmp_path: Path) -> None:
    page = opened.page
    opened.take(write(tmp_path, "large.png", png(1400, 1400)), write(tmp_path, "small.png", png(40, 40)))
    page.locator("#progress[value]").wait_for(timeout=LONG)
    page.locator("#cancel").click()
    opened.wait_for_state("Cancelled")
    opened.pick("small.png")
    opened.wait_for_state("Restored by")


def test_with_the_keyboard_alone(opened: Opened, tmp_path: Path) -> None:
    page = opened.page
    opened.take(write(tmp_path, "photo.png", png(60, 80)))
    opened.wait_for_state("Restored by")
    page.locator("#view:not(.alone)").wait_for(timeout=LONG)  # the result is decoded after the state is told
    page.locator("a.skip").focus()  # the first of the page
    reached: list[str] = []
    for _ in range(40):
        page.keyboard.press("Tab")
        here = page.evaluate(
            "(() => { const e = document.activeElement, s = getComputedStyle(e); return { id: e.id || e.outerHTML, "
            "name: e.ariaLabel || e.labels?.[0]?.innerText || e.innerText || e.title, "
            "seen: s.outlineStyle !== 'none' || e.id === 'split' || e.name === 'mode' }; })()"
        )
        if here["id"] in reached or here["id"].startswith("<body"):
            break
        reached.append(here["id"])
        assert here["name"], here
        assert here["seen"], here
    assert {"view", "split", "strength", "measure", "save-as", "download", "copy", "more-pictures"} <= set(reached)
    page.locator("#view").focus()
    for key, percent in (("+", "200 %"), ("+", "400 %"), ("0", "100 %"), ("-", "50 %")):
        page.keyboard.press(key)
        assert page.locator("#percent").inner_text() == percent
    page.keyboard.press("0")
    page.locator("#peek").focus()
    page.keyboard.down(" ")
    assert page.locator("#view.peek").count() == 1
    page.keyboard.up(" ")
    assert page.locator("#view.peek").count() == 0
    page.locator("#measure").focus()
    page.keyboard.press("Enter")
    page.locator("#measure", has_text="Hide").wait_for(timeout=LONG)
    assert "is off by no more than" in page.locator("#sure-text").inner_text()
    assert "may be off by" in page.locator("#under").inner_text()
    page.locator("#fade").focus()
    page.keyboard.press("Home")
    assert page.evaluate("getComputedStyle(document.querySelector('#overlay')).opacity") == "0"
    assert "photo.png" in page.locator("#live").inner_text()  # what a screen reader says


def test_zoom_keeps_both_halves_in_step(opened: Opened, tmp_path: Path) -> None:
    page = opened.page
    opened.take(write(tmp_path, "photo.png", png(300, 400)))
    opened.wait_for_state("Restored by")
    page.locator("label", has_text="Side by side").click()
    page.locator("#view").hover(position={"x": 200, "y": 200})
    page.mouse.wheel(0, -600)

    def stages() -> list[str]:
        return page.evaluate("[...document.querySelectorAll('.stage')].map(e => getComputedStyle(e).transform)")

    one, other = stages()
    assert one == other
    assert float(one.removeprefix("matrix(").split(",")[0]) > 2
    page.mouse.down()
    page.mouse.move(300, 400)
    page.mouse.up()
    moved, also = stages()
    assert moved == also


def test_two_fingers_zoom_both_halves(playwright: sync_api.Playwright, running: Running, tmp_path: Path) -> None:
    opened = Opened(playwright, running.url, tmp_path / "profile", width=400, has_touch=True)
    page = opened.page
    try:
        opened.take(write(tmp_path, "photo.png", png(300, 400)))
        opened.wait_for_state("Restored by")
        box = page.locator("#view").bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + 60
        fingers = page.context.new_cdp_session(page)

        def touch(kind: str, apart: float | None) -> None:
            points = [] if apart is None else [{"x": x - apart, "y": y, "id": 0}, {"x": x + apart, "y": y, "id": 1}]
            fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

        touch("touchStart", 30)
        for apart in (40, 60, 90, 120):
            touch("touchMove", apart)
        touch("touchEnd", None)
        one, other = page.evaluate("[...document.querySelectorAll('.stage')].map(e => getComputedStyle(e).transform)")
        assert one == other
        assert float(one.removeprefix("matrix(").split(",")[0]) == pytest.approx(4, rel=0.1)
        assert page.evaluate("visualViewport.scale") == 1  # the picture, not the page
        assert opened.wrong == []
    finally:
        opened.context.close()


def test_a_pasted_picture(opened: Opened) -> None:
    page = opened.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate(
        "async bits => navigator.clipboard.write([new ClipboardItem({ 'image/png': new Blob([new Uint8Array(bits)], "
        "{ type: 'image/png' }) })])", list(png(40, 50)),
    )  # fmt: skip
    page.keyboard.press("Control+v")
    opened.wait_for_state(re.compile("Restored by.*50 × 40"))


def test_blur_is_shown_where_it_is_read(opened: Opened, tmp_path: Path) -> None:
    page = opened.page
    opened.take(write(tmp_path, "photo.png", png(40, 50)))
    opened.wait_for_state("Restored by")
    top = "document.querySelector('#strength').getBoundingClientRect().top"
    before = page.evaluate(top)
    blur = page.locator("#found div", has_text="blur")
    assert "only read when enlarging" in blur.inner_text()
    page.locator("#more summary").click()
    page.locator("#task").select_option("sr-x2")
    opened.wait_for_state(re.compile("Enlarged by sr-x2.*100 × 80"))
    assert float(blur.locator(".number").inner_text()) >= 0
    assert page.locator("#percent").inner_text() == "100 %"  # pixels of the result
    blur.locator("button").click()
    page.locator("#overlay:not([hidden])").wait_for()
    page.locator("#view").hover()
    assert re.search(r"blur \d+\.\d+ pixels of the result", page.locator("#under").inner_text())
    assert page.evaluate(top) == pytest.approx(before, abs=1)  # nothing jumped
    page.locator("#task").select_option("gaussian")
    opened.wait_for_state("Restored by gaussian")
    assert "only read when enlarging" in blur.inner_text()
    page.locator("#overlay[hidden]").wait_for(state="attached")


def test_how_sure_says_what_is_missing_and_works_where_it_is_known(
    playwright: sync_api.Playwright, sure_service: Running, tmp_path: Path
) -> None:
    opened = Opened(playwright, sure_service.url, tmp_path / "profile")
    page = opened.page
    try:
        opened.take(write(tmp_path, "photo.png", png(60, 80)))
        opened.wait_for_state("Restored by universal")
        text = page.locator("#sure-text")
        assert "cannot tell how far off a pixel may be: its weights have no scale head yet" in text.inner_text()
        page.locator("#more summary").click()
        page.locator("#task").select_option("gaussian")
        opened.wait_for_state("Restored by gaussian")
        assert "with a probability of 90 %" in text.inner_text()
        page.locator("#measure").click()
        page.locator("#measure", has_text="Hide").wait_for(timeout=LONG)
        assert "is off by no more than" in text.inner_text()
        page.locator("#view").hover()
        assert "may be off by" in page.locator("#under").inner_text()
        assert page.locator("#command").inner_text().endswith("--uncertainty")
        page.locator("#strength").focus()
        page.keyboard.press("ArrowLeft")
        opened.wait_for_state("Restored by gaussian")
        page.locator("#measure", has_text="Measure").wait_for()
        assert "is known at strength 1" in text.inner_text()
        assert opened.wrong == []
    finally:
        opened.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_at_360_pixels(playwright: sync_api.Playwright, running: Running, tmp_path: Path, scheme: str) -> None:
    opened = Opened(playwright, running.url, tmp_path / "profile", width=360, color_scheme=scheme, has_touch=True)
    page = opened.page
    try:
        assert page.evaluate("document.documentElement.scrollWidth") == 360
        opened.take(write(tmp_path, "a picture with a rather long name.png", png(200, 500)))
        opened.wait_for_state("Restored by")
        assert page.evaluate("document.documentElement.scrollWidth") == 360
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        light = sum(map(int, re.findall(r"\d+", background)[:3])) > 3 * 128
        assert light == (scheme == "light")
        top = "document.querySelector('#panel').getBoundingClientRect().top + scrollY"
        before = page.evaluate(top)
        page.locator("#strength").focus()
        page.keyboard.press("ArrowRight")
        assert page.evaluate(top) == pytest.approx(before, abs=1)  # nothing jumps while it works
        opened.wait_for_state("Restored by")
        assert opened.wrong == []
    finally:
        opened.context.close()


def test_with_a_token(playwright: sync_api.Playwright, tmp_path: Path) -> None:
    token = "a-token-of-its-own"
    service = Running("--token", token, temporary=tmp_path)
    try:
        service.wait_until_ready(Authorization=f"Bearer {token}")
        opened = Opened(playwright, f"{service.url}/#token={token}", tmp_path / "profile")
        assert token not in opened.page.url
        opened.take(write(tmp_path, "photo.png", png(40, 50)))
        opened.wait_for_state("Restored by")
        opened.page.goto("about:blank")
        service.wait_for(lambda: not list(service.folder.glob("desk-*")))  # the page's end deletes its files
        opened.context.close()
        assert opened.wrong == []
    finally:
        service.stop()
