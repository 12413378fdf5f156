"""Folders by address."""

import os
import pickle

import pytest

from tests.cluster.places import fill
from undegrade import UndegradeError
from undegrade.cluster.storage import Entry, Place


def test_files_go_in_and_come_out(photos, tmp_path):
    fill(photos, a_png=b"one", trip__b_png=b"second")
    (tmp_path / "local").write_bytes(b"three")
    photos.put(tmp_path / "local", "deep/er/c.png")
    for name, content in (("a.png", b"one"), ("trip/b.png", b"second"), ("deep/er/c.png", b"three")):
        photos.get(name, tmp_path / "copy")
        assert (tmp_path / "copy").read_bytes() == content
    assert photos.list() == [Entry("a.png", False, 3), Entry("deep", True), Entry("trip", True)]
    assert photos.list("deep") == [Entry("er", True)]
    assert photos.can_take_results
    with pytest.raises(FileNotFoundError):
        photos.list("absent")
    with pytest.raises(FileNotFoundError):
        photos.get("absent.png", tmp_path / "copy")


def test_a_folder_is_no_file(photos, root):
    fill(photos, a_png=b"one")
    assert not photos.is_file()
    file = Place.of(f"{root}/photos/a.png")
    assert file.is_file()
    above, name = file.above()
    assert (above.url, above.root, name) == (photos.url, photos.root, "a.png")
    with pytest.raises(FileNotFoundError):
        Place.of(f"{root}/absent").is_file()


def test_one_folder_holds_another(photos, root):
    assert photos.holds(photos)
    assert photos.holds(Place.of(f"{root}/photos/trip"))
    assert not photos.holds(Place.of(f"{root}/photos2"))
    assert not Place.of(f"{root}/photos/trip").holds(photos)
    assert not photos.holds(Place.of("/photos" if "://" in root else "memory://photos"))


def test_a_sent_place_is_the_same(photos):
    fill(photos, a_png=b"one")
    assert pickle.loads(pickle.dumps(photos)) == photos


def test_a_store_whose_package_is_missing_is_told_with_the_extra(monkeypatch):
    def missing(url):
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr("fsspec.core.url_to_fs", missing)
    with pytest.raises(UndegradeError, match=r"^s3://b/p: .*Install s3fs.*pip install 'undegrade\[ray\]'\.$"):
        Place.of("s3://b/p")


def test_names_for_people():
    assert Place.of("memory://bucket/p/").shown("a.png") == "memory://bucket/p/a.png"
    assert Place.of("memory://bucket/p").shown("") == "memory://bucket/p"
    above, name = Place.of("a.png").above()
    assert (above.url, name) == (".", "a.png")


@pytest.mark.skipif(os.name != "posix", reason="links")
def test_links_to_files_count_and_links_to_folders_do_not(tmp_path):
    (tmp_path / "p" / "below").mkdir(parents=True)
    (tmp_path / "a.png").write_bytes(b"one")
    (tmp_path / "p" / "link.png").symlink_to(tmp_path / "a.png")
    (tmp_path / "p" / "broken.png").symlink_to(tmp_path / "absent")
    (tmp_path / "p" / "loop").symlink_to(tmp_path / "p")
    os.mkfifo(tmp_path / "p" / "pipe.png")
    found = Place.of(str(tmp_path / "p")).list()
    assert [(e.name, e.is_folder) for e in found] == [("below", True), ("link.png", False)]


def test_a_write_that_fails_leaves_what_was_there(tmp_path, monkeypatch):
    place = Place.of(str(tmp_path))
    fill(place, a_png=b"old")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("undegrade.atomic.os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        place.put_bytes(b"new", "a.png")
    assert (tmp_path / "a.png").read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


def test_what_killed_processes_left_is_removed(tmp_path):
    (tmp_path / "trip").mkdir()
    (tmp_path / "trip" / ".undegrade-0123456789abcdef.part").write_bytes(b"half")
    Place.of(str(tmp_path)).clean("trip")
    assert not list((tmp_path / "trip").iterdir())


def test_stores_that_cannot_be_used(tmp_path):
    with pytest.raises(UndegradeError, match=r"^nonsense://a: there is no access to this kind of store \(.*\)\.$"):
        Place.of("nonsense://a")
    assert not Place.of(f"simplecache::{tmp_path.as_uri()}").can_take_results
