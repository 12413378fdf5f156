"""What a batch reads and where its results go, told from paths alone."""

import os
from collections import Counter
from pathlib import Path

import pytest

from undegrade import UndegradeError
from undegrade.files import plan as plan_module
from undegrade.files.identity import identity
from undegrade.files.ignored import in_words
from undegrade.files.plan import Naming, plan
from undegrade.files.restore_file import beside, ever_beside
from undegrade.files.search import search
from undegrade.files.shards import Shard
from undegrade.image import Format
from undegrade.inference.options import RestoreOptions


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def files(*names: str) -> list[Path]:
    """Make files that hold their own names."""
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(name)
    return [Path(name) for name in names]


def planned(*inputs: str, o: str = "out", name: str | None = None, skip: bool = False) -> dict[str, str]:
    naming = None if name is None else Naming(name, {"task": "gaussian", "variant": "fast"})
    todo = plan([Path(i) for i in inputs], Path(o), naming, skip_existing=skip)
    return {str(job.source): str(job.output) for job in todo.jobs}


def test_a_folder_keeps_its_tree_and_only_pictures_are_taken() -> None:
    files("p/b.JPG", "p/a.png", "p/z/c.tiff", "p/d/e/f.webp", "p/notes.txt", "p/z/raw.cr2")
    files("p/.hidden.png", "p/.thumbnails/t.png", "p/._a.png", "p/.undegrade-0123456789abcdef.part")
    todo = plan([Path("p")], Path("out"))
    assert [(str(j.source), str(j.output)) for j in todo.jobs] == [
        ("p/a.png", "out/a.png"),
        ("p/b.JPG", "out/b.JPG"),
        ("p/d/e/f.webp", "out/d/e/f.webp"),
        ("p/z/c.tiff", "out/z/c.tiff"),
    ]
    assert todo.ignored == {".txt": 1, ".cr2": 1}


def test_files_are_taken_whatever_their_names_and_folders_may_be_dots() -> None:
    files("p/scan", "p/a.png")
    assert planned("p/scan", "p") == {"p/scan": "out/scan", "p/a.png": "out/a.png"}
    assert planned(".", o="out") == {"p/a.png": "out/p/a.png"}
    os.chdir("p")
    assert planned("..", o="../out") == {"../p/a.png": "../out/p/a.png"}


def test_results_are_no_inputs_of_the_next_run() -> None:
    files("p/a.png", "p/restored/a.png", "p/restored/b/c.png", "p/other/restored/d.png")
    assert planned("p", o="p/restored") == {
        "p/a.png": "p/restored/a.png",
        "p/other/restored/d.png": "p/restored/other/restored/d.png",
    }
    Path("link").symlink_to("p/restored")
    assert planned("p", o="link").keys() == {"p/a.png", "p/other/restored/d.png"}
    # Asked for by name, it is an input after all.
    assert planned("p/restored", o="out") == {"p/restored/a.png": "out/a.png", "p/restored/b/c.png": "out/b/c.png"}


def test_links_in_a_folder() -> None:
    files("p/a.png", "elsewhere/b.png")
    Path("p/loop").symlink_to(".")
    Path("p/up").symlink_to("..")
    Path("p/self.png").symlink_to("self.png")
    Path("p/broken.png").symlink_to("nothing.png")
    Path("p/folder.png").symlink_to("../elsewhere")
    Path("p/file.png").symlink_to("../elsewhere/b.png")
    os.mkfifo("p/pipe.png")
    found = search(Path("p"), Path("out"))
    assert [f.name for f in found.files] == ["a.png", "broken.png", "file.png", "self.png"]
    assert found.ignored == {"links to folders": 3, "pipes and devices": 1}
    Path("q").symlink_to("p")
    assert search(Path("q"), Path("out")).files[0] == Path("q/a.png")


def test_a_folder_that_cannot_be_read_is_told_and_the_others_are_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    files("p/a.png", "p/locked/b.png")
    scandir = os.scandir

    def guarded(path: Path) -> object:
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", guarded)
    todo = plan([Path("p")], Path("out"))
    assert [j.source for j in todo.jobs] == [Path("p/a.png")]
    assert todo.unread == ((Path("p/locked"), "Permission denied"),)
    with pytest.raises(UndegradeError, match=r"p/locked: cannot be searched \(Permission denied\)"):
        plan([Path("p/locked")], Path("out"))


@pytest.mark.parametrize(
    ("template", "source", "name", "format"),
    [
        ("{stem}-clean{suffix}", "a.b.JPG", "a.b-clean.JPG", None),
        ("{stem}.png", "a.jpg", "a.png", Format.PNG),
        ("{task}_{variant}_{stem}{suffix}", "a.tif", "gaussian_fast_a.tif", None),
        ("{stem}{suffix}.webp", "a.jpg", "a.jpg.webp", Format.WEBP),
        ("{{{stem}}}{suffix}", "{x}.png", "{{x}}.png", None),
        ("{stem}{suffix}", "scan", "scan", None),
    ],
)
def test_names(template: str, source: str, name: str, format: Format | None) -> None:
    naming = Naming(template, {"task": "gaussian", "variant": "fast"})
    assert (naming(Path("folder") / source), naming.format) == (name, format)


@pytest.mark.parametrize(
    ("template", "what"),
    [
        ("{stm}{suffix}", "unknown field {stm}; use {stem}, {suffix}, {task}"),
        ("{}{suffix}", "unknown field {}"),
        ("{0}{suffix}", "unknown field {0}"),
        ("{stem.__class__}{suffix}", "unknown field"),
        ("{stem!r}{suffix}", "unknown field"),
        ("{stem:>9}{suffix}", "unknown field"),
        ("{stem", "not a template"),
        ("stem}", "not a template"),
        ("", "not a file name"),
        ("../{stem}{suffix}", "not a file name; give folders by -o"),
        ("/tmp/{stem}{suffix}", "not a file name"),
        ("clean/{stem}{suffix}", "not a file name"),
        ("{stem}-clean", "does not end like a picture's name; end it in {suffix}"),
        ("{suffix}{stem}", "like a picture's name"),
        ("{stem}.txt", "like a picture's name"),
    ],
)
def test_templates_that_cannot_be(template: str, what: str) -> None:
    with pytest.raises(UndegradeError) as caught:
        Naming(template, {"task": "gaussian"})
    assert what in str(caught.value)
    assert str(caught.value).startswith(f"--name {template!r} ")


def test_a_field_cannot_lead_out_of_the_folder() -> None:
    with pytest.raises(UndegradeError, match=r"not a file name"):
        Naming("{variant}{stem}{suffix}", {"variant": "../"})(Path("a.png"))


def test_two_inputs_never_get_one_output() -> None:
    files("p/a.jpg", "p/a.png", "q/a.png", "q/r/a.png")
    for inputs, name in ((["p", "q"], None), (["p"], "{stem}.png"), (["p"], "same.png"), (["q/a.png", "q/r"], None)):
        with pytest.raises(
            UndegradeError, match=r"^[pq]\S+ and [pq]\S+ would both be written to out/\S+; restore them separately"
        ):
            planned(*inputs, name=name)
    Path("out/r").mkdir(parents=True)
    Path("out/s").symlink_to("r")
    files("t/r/a.png", "t/s/a.png")
    with pytest.raises(UndegradeError, match=r"t/r/a.png and t/s/a.png would both"):
        planned("t")


def test_one_input_named_twice_is_restored_once() -> None:
    files("p/a.png", "p/b.png")
    assert planned("p", "p/a.png", "p/../p/b.png", "p") == {"p/a.png": "out/a.png", "p/b.png": "out/b.png"}


def with_samples(output: Path) -> list[Path]:
    return beside(output, RestoreOptions(samples=2))


def test_what_is_written_beside_results_collides_with_nothing() -> None:
    files("p/a.png", "p/a.tif", "q/a.png", "q/a-std.png", "r/b.png")
    for inputs, output in (("p", "out/a-std.png"), ("q", "out/a-std.png")):
        with pytest.raises(UndegradeError, match=f"^{inputs}/a.* and {inputs}/a.* would both write {output};"):
            plan([Path(inputs)], Path("out"), beside=with_samples)
        assert len(plan([Path(inputs)], Path("out")).jobs) == 2
        for i in (1, 2, 3):  # the other may be another machine's
            with pytest.raises(UndegradeError, match="would both write"):
                plan([Path(inputs)], Path("out"), beside=with_samples, shard=Shard(i, 3))
    with pytest.raises(UndegradeError, match=r"^p/a.tif and p/a.png would both write out/a-std.png; restore them sep"):
        plan([Path("p/a.tif"), Path("p/a.png")], Path("out"), beside=with_samples)
    files("s/c-x.png", "s/c-x-std.png")
    with pytest.raises(UndegradeError, match=r"^s/c-x-std.png would replace an input or a result; use another --name"):
        plan([Path("s/c-x.png"), Path("s/c-x-std.png")], Path("s"), Naming("{stem}.jpg"), beside=with_samples)
    twice = [Path("r"), Path("r/b.png")]
    assert len(plan(twice, Path("out"), beside=with_samples).jobs) == 1


def test_going_on_takes_no_picture_that_is_written_beside_a_result() -> None:
    files("p/a.png", "p/a-clean.png", "p/a-clean-std.png", "p/b.png")
    todo = plan([Path("p")], Path("p"), Naming("{stem}-clean{suffix}"), skip_existing=True, beside=with_samples)
    assert [str(job.source) for job in todo.jobs] == ["p/a.png", "p/b.png"]
    assert todo.results == 2


def test_going_on_takes_no_picture_that_other_options_have_written_beside_a_result() -> None:
    files("p/a.png", "p/a-clean.png", "p/a-clean-uncertainty.png", "p/a-clean-std.png")
    naming = Naming("{stem}-clean{suffix}")
    todo = plan([Path("p")], Path("p"), naming, skip_existing=True, ever_beside=ever_beside)
    assert [str(job.source) for job in todo.jobs] == ["p/a.png"]
    with pytest.raises(UndegradeError, match="would replace an input or a result"):  # these options write it
        plan([Path("p/a-clean-std.png"), Path("p/a.png")], Path("p"), naming, beside=with_samples)


def test_names_that_differ_in_case_collide_where_the_file_system_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    files("p/a.png", "p/A.png", "p/e\u0301.png", "p/\u00e9.png")
    if len(list(Path("p").iterdir())) < 4:
        pytest.skip("this file system ignores case")
    assert len(planned("p")) == 4
    assert list(Path().iterdir()) == [Path("p")]  # finding out has left nothing behind
    monkeypatch.setattr(plan_module, "ignores_case", lambda _: True)
    with pytest.raises(UndegradeError, match=r"p/A.png and p/a.png would both be written to out/A.png"):
        planned("p/A.png", "p/a.png")
    with pytest.raises(UndegradeError, match=r"would both"):
        planned("p/e\u0301.png", "p/\u00e9.png")


def test_an_input_is_never_overwritten_by_whatever_name() -> None:
    files("p/a.png", "p/b.png")
    Path("out").mkdir()
    for inputs, output, name in (
        (["p"], "p", None),
        (["p"], "p/../p", None),
        (["p/a.png", "p/b.png"], "p", None),
        (["p"], "p", "{stem}{suffix}"),
        (["p/a.png"], "p/new/../a.png", None),
        (["p"], "new/../p", None),
        (["p/missing.png"], "p/missing.png", None),
    ):
        with pytest.raises(UndegradeError, match=r"is an input and would be overwritten"):
            planned(*inputs, o=output, name=name)
    for make in (lambda at: at.symlink_to("../p/b.png"), lambda at: at.hardlink_to("p/b.png")):
        make(Path("out/a.png"))
        with pytest.raises(UndegradeError, match=r"out/a.png is an input and would be overwritten"):
            planned("p")
        Path("out/a.png").unlink()
    Path("same").symlink_to("p")
    with pytest.raises(UndegradeError, match=r"same/a.png is an input"):
        planned("p", o="same")
    assert planned("p").keys() == {"p/a.png", "p/b.png"}


def test_another_spelling_of_an_input_is_that_input(monkeypatch: pytest.MonkeyPatch) -> None:
    # As where case is ignored: the other spelling is there, with the same inode.
    files("p/A.PNG")
    Path("p/A.png").hardlink_to("p/A.PNG")
    with pytest.raises(UndegradeError, match=r"p/A.png is an input"):
        planned("p/A.PNG", o="p", name="{stem}.png")


def test_results_beside_the_inputs() -> None:
    files("p/a.png", "p/b.png")
    clean = "{stem}-clean{suffix}"
    assert planned("p", o="p", name=clean) == {"p/a.png": "p/a-clean.png", "p/b.png": "p/b-clean.png"}
    files("p/a-clean.png")
    # It could be a photo of the user's own.
    with pytest.raises(UndegradeError, match=r"p/a-clean.png is an input and would be overwritten"):
        planned("p", o="p", name=clean)
    todo = plan([Path("p")], Path("p"), Naming(clean), skip_existing=True)
    assert [j.source.name for j in todo.jobs] == ["a.png", "b.png"]
    assert todo.results == 1
    with pytest.raises(UndegradeError, match=r"is an input"):
        planned("p", o="p", skip=True)


def test_one_file_to_a_name() -> None:
    files("a.png", "p/b.png")
    (job,) = plan([Path("a.png")], Path("x.jpg")).jobs
    assert (job.output, job.format) == (Path("x.jpg"), Format.JPEG)
    (job,) = plan([Path("a.png")], Path("q/a.png")).jobs
    assert job.format is None
    Path("folder.png").mkdir()
    assert planned("a.png", o="folder.png") == {"a.png": "folder.png/a.png"}
    with pytest.raises(UndegradeError, match=r"x.png is one file, but there are 2 inputs"):
        planned("a.png", "p/b.png", o="x.png")
    with pytest.raises(UndegradeError, match=r"x.png is one file, but p is a folder"):
        planned("p", o="x.png")
    with pytest.raises(UndegradeError, match=r"leave out --name"):
        planned("a.png", o="x.png", name="{stem}.png")


def test_formats_that_are_only_read_become_png_under_names_of_their_own() -> None:
    files("p/a.bmp", "p/a.gif", "p/a.png", "p/b.PGM")
    todo = plan([Path("p")], Path("out"))
    assert [(job.output.name, job.format) for job in todo.jobs] == [
        ("a.bmp.png", Format.PNG),
        ("a.gif.png", Format.PNG),
        ("a.png", None),
        ("b.PGM.png", Format.PNG),
    ]
    assert planned("p/a.bmp", name="{stem}-clean{suffix}") == {"p/a.bmp": "out/a-clean.bmp.png"}
    assert planned("p/a.bmp", name="{stem}.webp") == {"p/a.bmp": "out/a.webp"}
    with pytest.raises(UndegradeError, match=r"p/a.bmp and p/a.gif would both be written to out/a.png"):
        planned("p", name="{stem}.png")
    with pytest.raises(UndegradeError, match=r"does not end like a picture's name"):
        planned("p", name="{stem}.gif")
    # The names do not depend on what else is there: a second run finds what the first has written.
    assert planned("p/a.bmp") == {"p/a.bmp": "out/a.bmp.png"}


@pytest.mark.parametrize("name", ["out.gif", "out.bmp", "out.jgp", "out.mp4", "x/out.PNGG"])
def test_one_file_to_a_name_that_cannot_be_written(name: str) -> None:
    files("a.png", "p/b.png")
    with pytest.raises(UndegradeError, match=r"end its name in \.png, \.jpg, \.webp, \.tif or \.avif, or "):
        planned("a.png", o=name)
    Path(name).mkdir(parents=True)
    assert planned("a.png", o=name) == {"a.png": f"{name}/a.png"}


def test_folders_may_have_dots_in_their_names() -> None:
    files("a.png", "p/b.png")
    assert planned("a.png", o="v1.2") == {"a.png": "v1.2/a.png"}
    assert planned("p", o="of.june") == {"p/b.png": "of.june/b.png"}
    assert planned("a.png", o="of.september") == {"a.png": "of.september/a.png"}


def test_what_is_ignored_is_named() -> None:
    names = ["a.txt", "b.TXT", "c.mp4", "d", "e.cr2", "f.raw", "g.xmp", "h.html", "i.muchtoolongasuffix"]
    files("p/a.png", *(f"p/{name}" for name in names))
    found = search(Path("p"), Path("out")).ignored
    assert found.total() == len(names)
    assert in_words(found) == ".txt 2, .cr2 1, .html 1, .mp4 1, .raw 1, others 3"
    assert in_words(Counter({".txt": 1})) == ".txt 1"


def test_nothing_to_do() -> None:
    Path("empty").mkdir()
    files("p/notes.txt", "p/more.txt", "q/out/a.png")
    with pytest.raises(UndegradeError, match=r"^there are no pictures in empty; give another folder, or files"):
        planned("empty")
    with pytest.raises(UndegradeError, match=r"no pictures in empty, p, only 2 other files \(.txt 2\);"):
        planned("empty", "p")
    with pytest.raises(UndegradeError, match=r"no pictures in q;"):
        planned("q", o="q/out")


def test_identity() -> None:
    files("p/a")
    Path("link").symlink_to("p")
    assert identity(Path("link/a")) == identity(Path("p/a"))
    assert identity(Path("link/none")) == identity(Path("p/none")) != identity(Path("p/a"))
    Path("loop").symlink_to("loop")
    assert identity(Path("loop/none")) == identity(Path("loop/none"))
