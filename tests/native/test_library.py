"""Compiling at the first use: by several at once, anew where a library was cut, and once where it fails."""

import os
import shutil
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from undegrade import native
from undegrade.native import NotCompiled, convolution, library

try:
    library("winograd")
except NotCompiled as reason:
    pytest.skip(str(reason), allow_module_level=True)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("UNDEGRADE_CACHE", str(tmp_path / "cache"))
    native.forget()
    yield tmp_path / "cache" / "native"
    native.forget()


def compiler(path: Path, script: str) -> str:
    path.write_text(f"#!/bin/sh\necho called >> {path}.log\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_threads_that_come_at_once_share_one_and_a_cut_one_is_made_anew(cache: Path) -> None:
    found = []
    threads = [threading.Thread(target=lambda: found.append(library("winograd"))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 3
    assert len(set(map(id, found))) == 1
    (built,) = cache.glob("*.so")
    whole = built.read_bytes()
    (cache / "of-a-killed-process.tmp").touch()
    os.utime(cache / "of-a-killed-process.tmp", (0, 0))
    cut = cache / "cut"  # the first one is in use
    cut.write_bytes(whole[:20_000])
    cut.replace(built)
    native.forget()
    assert library("winograd").winograd_panel() > 0
    assert len(built.read_bytes()) == len(whole)
    assert {file.suffix for file in cache.iterdir()} == {".so", ".sha256"}


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("exit 1", "failed .no message."),
        ("printf '\\377\\376' >&2; exit 1", "failed"),
        ("cat; exit 0", "made nothing"),
    ],
)
def test_a_compiler_that_fails_is_asked_once_and_leaves_nothing(
    script: str, says: str, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", compiler(tmp_path / "c", f"case $1 in --version) echo 1; exit 0;; esac\n{script}"))
    for _ in range(3):
        with pytest.raises(NotCompiled, match=says):
            library("winograd")
    assert (tmp_path / "c.log").read_text().splitlines() == 2 * ["called"]
    assert not list(cache.iterdir())


def test_a_cache_that_cannot_be_written_is_named_before_anything_is_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("UNDEGRADE_CACHE", str(tmp_path / "file"))
    monkeypatch.setenv("CXX", compiler(tmp_path / "c", "echo 1"))
    with pytest.raises(NotCompiled, match=r"file/native/.* cannot be written or loaded .*; set UNDEGRADE_CACHE"):
        library("winograd")
    assert (tmp_path / "c.log").read_text().splitlines() == ["called"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_others_may_use_the_cache_as_the_user_lets_them(cache: Path) -> None:
    """An image is often built by another user than the one who runs it."""
    before = os.umask(0o022)
    try:
        library("winograd")
    finally:
        os.umask(before)
    assert {stat.S_IMODE(file.stat().st_mode) & 0o444 for file in cache.iterdir()} == {0o444}


def test_a_library_serves_on_where_the_compiler_is_gone(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library("winograd")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    native.forget()
    assert library("winograd").winograd_panel() > 0
    monkeypatch.setattr(native, "_cpu", lambda: "flags: of another CPU")
    native.forget()
    with pytest.raises(NotCompiled, match="there is no C"):
        library("winograd")


def test_what_cannot_be_tidied_away_stays_and_prevents_nothing(cache: Path) -> None:
    (cache / "old").mkdir(parents=True)
    os.utime(cache / "old", (0, 0))
    assert library("winograd").winograd_panel() > 0
    assert (cache / "old").is_dir()


@pytest.mark.parametrize(
    ("messages", "cause"),
    [
        ("ld: final link failed: No space left on device|collect2: error: ld returned 1 exit status", "No space left"),
        ("x.cpp:1: fatal error: no such file|compilation terminated.|See README.Bugs", "fatal error: no such file"),
    ],
)
def test_the_cause_of_a_failure_is_said(
    messages: str, cause: str, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = f"case $1 in --version) echo 1; exit 0;; esac\necho '{messages}' | tr '|' '\\n' >&2; exit 1"
    monkeypatch.setenv("CXX", compiler(tmp_path / "c", script))
    with pytest.raises(NotCompiled, match=cause):
        library("winograd")


@pytest.mark.skipif(shutil.which("g++") is None, reason="there is no g++")
def test_a_library_without_its_functions_is_refused_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty.cpp").write_text("int nothing = 0;\n")
    script = f"case $1 in --version) echo 1;; *) exec g++ -shared {tmp_path}/empty.cpp -o $(eval echo \\$$#);; esac"
    monkeypatch.setenv("CXX", compiler(tmp_path / "c", script))
    with pytest.raises(NotCompiled, match="computes something else"):
        convolution.check()
