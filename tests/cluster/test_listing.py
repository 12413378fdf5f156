"""Which files a large batch has, listed while it goes on."""

from pathlib import Path

import pytest

from tests.cluster.places import fill
from undegrade import UndegradeError
from undegrade.cluster.listing import Item, Listing
from undegrade.cluster.storage import Place
from undegrade.files.plan import Naming, plan
from undegrade.files.restore_file import Outcome, Status
from undegrade.files.shards import Shard
from undegrade.image import Format
from undegrade.inference.options import RestoreOptions


def test_the_files_are_those_of_a_plan(tmp_path):
    names = (
        "b.JPG",
        "a.png",
        "a.bmp",
        "z/c.tiff",
        "d/e/f.webp",
        "notes.txt",
        ".hidden.png",
        ".thumbs/t.png",
        "d/x.cr2",
    )
    for name in names:
        (tmp_path / "p" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "p" / name).touch()
    todo = plan([tmp_path / "p"], tmp_path / "out")
    listing = Listing(Place.of(str(tmp_path / "p")), Place.of(str(tmp_path / "out")))
    found = list(listing)
    assert [listing.source.shown(i.source) for i in found] == [str(job.source) for job in todo.jobs]
    assert [listing.output.shown(i.output) for i in found] == [str(job.output) for job in todo.jobs]
    assert [i.format for i in found] == [job.format for job in todo.jobs]
    assert listing.ignored == todo.ignored == {".txt": 1, ".cr2": 1}


def test_one_folder_after_the_other(photos, out, monkeypatch):
    fill(photos, a_png=b"1", trip__b_png=b"22", trip__deep__c_jpg=b"333")
    listed = []
    listing = Listing(photos, out)
    original = Place.list
    monkeypatch.setattr(Place, "list", lambda self, folder="": listed.append(folder) or original(self, folder))
    items = iter(listing)
    assert next(items) == Item("a.png", "a.png", None, 1)
    assert listed == [""]
    assert list(items) == [
        Item("trip/b.png", "trip/b.png", None, 2),
        Item("trip/deep/c.jpg", "trip/deep/c.jpg", None, 3),
    ]
    assert listed == ["", "trip", "trip/deep"]


def test_a_single_file_whatever_its_name(photos, out, root):
    fill(photos, scan=b"1", a_png=b"2")
    listing = Listing(Place.of(f"{root}/photos/scan"), out, Naming("{stem}.png"))
    assert list(listing) == [Item("scan", "scan.png", Format.PNG, 1)]
    assert listing.source.shown("scan") == f"{root}/photos/scan"


def test_results_are_no_inputs_and_existing_ones_are_skipped(photos, root):
    fill(photos, a_png=b"1", b_png=b"2", trip__c_png=b"3", clean__b_png=b"x", clean__trip__c_png=b"x")
    out = Place.of(f"{root}/photos/clean")
    assert [i.source for i in Listing(photos, out)] == ["a.png", "b.png", "trip/c.png"]
    found = list(Listing(photos, out, skip_existing=True))
    assert [i.source for i in found if isinstance(i, Item)] == ["a.png"]
    assert [(o.source, o.output, o.status) for o in found if isinstance(o, Outcome)] == [
        (f"{root}/photos/b.png", f"{root}/photos/clean/b.png", Status.SKIPPED),
        (f"{root}/photos/trip/c.png", f"{root}/photos/clean/trip/c.png", Status.SKIPPED),
    ]


def test_two_files_with_one_result(photos, out, root):
    fill(photos, a_jpg=b"1", a_png=b"2", b_png=b"3", trip__a_png=b"4")
    found = list(Listing(photos, out, Naming("{stem}.png")))
    assert [i.source for i in found if isinstance(i, Item)] == ["a.jpg", "b.png", "trip/a.png"]
    (refused,) = (o for o in found if isinstance(o, Outcome))
    assert (refused.source, refused.status) == (f"{root}/photos/a.png", Status.FAILED)
    assert refused.reason == f"{root}/photos/a.jpg has the same result; use another --name."


@pytest.mark.parametrize(
    ("name", "options"),
    [("a-std.png", RestoreOptions(samples=2)), ("a-uncertainty.png", RestoreOptions(uncertainty=True))],
)
def test_the_picture_beside_a_result_takes_a_name_too(photos, out, name, options):
    photos.put_bytes(b"1", "a.png")
    photos.put_bytes(b"2", name)
    assert sum(isinstance(i, Item) for i in Listing(photos, out)) == 2
    assert sum(isinstance(i, Item) for i in Listing(photos, out, options=options)) == 1


def test_shards_are_those_of_a_plan(photos, out):
    for i in range(20):
        photos.put_bytes(b"1", f"trip/{i}.png")
    parts = []
    for i in (1, 2, 3):
        listing = Listing(photos, out, shard=Shard(i, 3))
        parts.append([item.source for item in listing])
        assert all(Shard(i, 3).holds(Path(name)) for name in parts[-1])
        assert listing.others == 20 - len(parts[-1])
    assert sorted(name for part in parts for name in part) == sorted(f"trip/{i}.png" for i in range(20))


@pytest.mark.parametrize("below", ["", "/trip", "/trip/deep"])
def test_results_must_not_replace_inputs(photos, root, below):
    fill(photos, trip__deep__a_png=b"1")
    with pytest.raises(UndegradeError, match="holds the inputs"):
        Listing(Place.of(f"{root}/photos{below}"), photos)
    with pytest.raises(UndegradeError, match="holds the inputs"):
        Listing(Place.of(f"{root}/photos/trip/deep/a.png"), Place.of(f"{root}/photos/trip/deep"))


def test_what_is_not_there_and_where_results_cannot_go(photos, out, root):
    with pytest.raises(UndegradeError, match=r"photos: there is no such file or folder"):
        Listing(photos, out)
    fill(photos, a_png=b"1")
    with pytest.raises(UndegradeError, match="while they are half written"):
        Listing(photos, Place.of("simplecache::memory://elsewhere/out"))


def test_results_that_cannot_be_listed_and_names_that_cannot_be_are_told(photos, out, root, monkeypatch):
    fill(photos, a_png=b"1", locked__b_png=b"2", trip__c_png=b"3")
    photos.put_bytes(b"4", "trip/d\\e.png")  # no name for a result
    original = Place.list

    def guarded(self, folder=""):
        if (self.root, folder) == (out.root, "locked"):
            raise PermissionError(13, "Access Denied")
        return original(self, folder)

    monkeypatch.setattr(Place, "list", guarded)
    first, failed, last, odd = Listing(photos, out, skip_existing=True)
    assert (first.source, last.source) == ("a.png", "trip/c.png")
    assert (failed.source, failed.status) == (f"{root}/out/locked", Status.FAILED)
    assert "Access Denied" in failed.reason
    assert (odd.source, odd.status) == (f"{root}/photos/trip/d\\e.png", Status.FAILED)
    assert "which is not a file name" in odd.reason


def test_a_folder_that_cannot_be_listed_is_told_and_the_others_go_on(photos, out, root, monkeypatch):
    fill(photos, a_png=b"1", locked__b_png=b"2", trip__c_png=b"3")
    original = Place.list

    def guarded(self, folder=""):
        if folder == "locked":
            raise PermissionError(13, "Access Denied")
        return original(self, folder)

    monkeypatch.setattr(Place, "list", guarded)
    first, failed, last = Listing(photos, out)
    assert (first.source, last.source) == ("a.png", "trip/c.png")
    assert (failed.source, failed.output, failed.status) == (f"{root}/photos/locked", None, Status.FAILED)
    assert "Access Denied" in failed.reason
