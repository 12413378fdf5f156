"""Experiments are values: their commands exist, their expected numbers are the committed ones, and they run."""

from __future__ import annotations

import argparse
import csv
import importlib
import json
import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.pictures import make_photo
from undegrade.cli import COMMANDS
from undegrade.data.catalogue import DATASETS
from undegrade.errors import UndegradeError
from undegrade.evaluation.evaluate import Cell, Measured
from undegrade.evaluation.results import Result
from undegrade.tasks import TASKS
from undegrade.weights.card import shipped_cards

ROOT = Path(__file__).parents[1]
REPRODUCE = ROOT / "reproduce"
sys.path.insert(0, str(REPRODUCE))  # as it is for `python reproduce/run.py`
experiments, planning, pictures, report, runner, study, words = map(
    importlib.import_module, ("experiments", "plan", "pictures", "report", "run", "study", "words")
)
EXPERIMENTS = experiments.EXPERIMENTS
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]


def given_all(experiment, **changes):
    """All folders that an experiment can use, and what it takes after ``--``."""
    always, besides = words.needs(experiment)
    folders = {name: Path(name) for name in (*always, *besides)}
    return words.Given(out=Path("out"), **{"extra": tuple(shlex.split(experiment.takes)), **folders, **changes})


def commands(experiment, gpu):
    """Every command that an experiment can make: with and without a training of its own, and settled."""
    changes = [{}]
    if experiment.training:
        changes.append({"train": None, "val": None})
    if experiment.ablation and experiment.ablation.settle:
        changes.append({"settle": 7})
    return [s.argv for change in changes for s in planning.plan(experiment, given_all(experiment, **change), gpu).steps]


def parse(argv):
    """The arguments of a command, by the parser of the command itself; SystemExit where it does not know a word."""
    if argv[0] == "python":
        script = Path(argv[1])
        assert script.resolve().parent == REPRODUCE
        module = importlib.import_module(script.stem)
        return study.parser(module.__doc__, module.add_arguments).parse_args(argv[2:])
    assert argv[0] == "undegrade"
    assert argv[1] in COMMANDS
    parser = argparse.ArgumentParser(allow_abbrev=False)
    importlib.import_module(f"undegrade.cli.{argv[1]}").add_arguments(parser)
    return parser.parse_args(argv[2:])


@pytest.mark.parametrize("gpu", [False, True])
@pytest.mark.parametrize("experiment", EXPERIMENTS.values(), ids=list(EXPERIMENTS))
def test_every_command_is_understood(experiment, gpu):
    for argv in commands(experiment, gpu):
        args = parse(argv)
        if argv[1] == "train":
            assert args.variant in TASKS[args.task].variants
            assert args.recipe in TASKS[args.task].recipes[args.variant]
        if argv[1] == "evaluate":
            benchmarks = TASKS[args.task].benchmarks
            assert {b.case for b in benchmarks} >= set(args.cases or ())
            assert {b.dataset.name for b in benchmarks} >= set(args.datasets or ())


def test_names_are_unique():
    listed = [*experiments.TABLES, *experiments.ABLATIONS, *experiments.FIGURES, *experiments.STUDIES]
    assert len(listed) == len(EXPERIMENTS)
    for experiment in listed:
        if experiment.ablation is not None:
            trainings = experiment.ablation.trainings
            assert len({t.name for t in trainings}) == len({t.row for t in trainings}) == len(trainings)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_experiments_named_in_documents_exist(page):
    assert set(re.findall(r"reproduce/run\.py ([a-z][\w-]*)", page.read_text(encoding="utf-8"))) <= set(EXPERIMENTS)


def test_files_named_in_documents_and_docstrings_exist():
    pages = [page for page in (*PAGES, *(ROOT / "src").rglob("*.py")) if page.name != "CHANGELOG.md"]
    named = {(page.name, name) for page in pages for name in re.findall(r"reproduce/([\w-]+\.\w+)", page.read_text())}
    assert {(page, name) for page, name in named if not (REPRODUCE / name).is_file()} == set()


@pytest.mark.parametrize("name", [n for n, e in EXPERIMENTS.items() if e.results])
def test_what_is_expected_in_words_was_measured(name):
    experiment = EXPERIMENTS[name]
    said = [float(number) for number in re.findall(r"\b[23]\d\.\d\d\b", experiment.expected)]
    files = [ROOT / "results" / file for files in experiment.results.values() for file in files]
    measured = {round(cell.mean("psnr"), 2) for file in files for cell in Result.read(file).cells if cell.images}
    assert set(said) <= measured


def test_expected_numbers_are_the_committed_ones_and_all_of_them():
    expected = {name for e in EXPERIMENTS.values() for names in e.results.values() for name in names}
    assert expected == {path.name for path in (ROOT / "results").glob("*.json")}
    for experiment in EXPERIMENTS.values():
        written = {str(Path(parse(argv).json).relative_to("out")) for argv in commands(experiment, False)
                   if argv[1] == "evaluate" and experiment.ablation is None}  # fmt: skip
        assert written == set(experiment.results)
        assert set(experiment.data) <= {d.name for d in DATASETS}


def test_documented_places_are_measured_by_the_ablation():
    for experiment in EXPERIMENTS.values():
        if experiment.ablation is None:
            continue
        made = planning.plan(experiment, given_all(experiment))
        measuring = [parse(s.argv) for s in made.steps if s.argv[1] == "evaluate"]
        for training in experiment.ablation.trainings:
            for dataset, case in (*training.expected, *training.expected_settled):
                if dataset == "held-out":
                    label = case.rpartition(" at step ")[0]
                    assert label in TASKS[parse(made.steps[0].argv).task].validation
                    continue
                found = [b for a in measuring for b in TASKS[a.task].benchmarks
                         if b.dataset.name in (a.datasets or [dataset]) and b.case in (a.cases or [case])]  # fmt: skip
                assert (dataset, case) in {(b.dataset.name, b.case) for b in found}


def test_what_is_trained_or_given_takes_the_place_of_shipped_weights(tmp_path):
    def weights(**changes):
        made = planning.plan(EXPERIMENTS["files"], words.Given(tmp_path, Path("DATA"), **changes))
        return [str(w) for s in made.steps for w in np.atleast_1d(parse(s.argv).weights)]

    x2, x4 = (words.shown(words.SHIPPED / f"{name}.safetensors") for name in ("sr-x2-fast", "sr-x4-fast"))
    assert weights() == [x2, x4, x2, x4]
    assert weights(weights=("mine.safetensors",)) == ["mine.safetensors", x4, "mine.safetensors", x4]
    assert weights(weights=("sr-x4-fast", "mine")) == [x4, "mine", x4, "mine"]
    trained = words.Given(tmp_path, Path("DATA"), train=Path("T"), val=Path("V"))
    first, second = (parse(s.argv) for s in planning.plan(EXPERIMENTS["table-05"], trained).steps)
    assert second.weights.parent == first.out


@pytest.mark.parametrize(
    ("name", "changes", "says"),
    [
        ("table-07", {}, "needs DATA"),
        ("table-09", {"data": Path("D"), "train": Path("T")}, "needs --val DIR"),
        ("table-07", {"data": Path("D"), "steps": 5}, "no use of --steps"),
        ("fig-07", {"data": Path("D"), "val": Path("V"), "train": Path("T")}, "no use of --train"),
        ("table-01", {"data": Path("D"), "weights": ("a", "b")}, "no more --weights"),
        ("table-01", {"data": Path("D"), "weights": ("a",), "train": Path("T")}, "give one"),
        ("table-09", {"data": Path("D"), "train": Path("T"), "val": Path("V"), "runs": ("x",)}, "no run x"),
        ("table-11", {"data": Path("D"), "train": Path("T"), "val": Path("V"), "settle": 3}, "no use of --settle"),
        ("files", {"data": Path("D"), "extra": ("--half",)}, "different commands"),
        ("compare", {}, "needs options after --"),
    ],
)
def test_what_is_missing_or_of_no_use_is_said(name, changes, says):
    with pytest.raises(UndegradeError, match=says):
        planning.plan(EXPERIMENTS[name], words.Given(Path("out"), **changes))


def test_options_after_the_dashes_reach_the_command(capsys):
    assert runner.main(["strength", "--dry-run", "--", "--images", "3"]) == 0
    last = capsys.readouterr().out.splitlines()[-1].split()
    assert last[:3] == ["python", words.shown(REPRODUCE / "strength.py"), "DATA/CBSD68"]
    assert last[-2:] == ["--images", "3"]


def test_sets_are_found_beside_the_trainings_images_too(tmp_path):
    (tmp_path / "test" / "Set5").mkdir(parents=True)
    found = words.Words(EXPERIMENTS["enlarged"], words.Given(Path("out"), tmp_path))
    assert found["Set5"] == str(tmp_path / "test" / "Set5")
    assert found["BSD100"] == str(tmp_path / "BSD100")


def test_the_list_names_every_experiment(capsys):
    assert runner.main([]) == 0
    assert set(re.findall(r"^([\w-]+) ", capsys.readouterr().out, re.M)) == set(EXPERIMENTS)


def test_trainings_without_data_are_left_out_and_parts_do_not_pass_for_the_whole():
    experiment = EXPERIMENTS["table-08-10"]
    folders = {"data": Path("D"), "train": Path("T"), "val": Path("V")}
    made = planning.plan(experiment, words.Given(Path("out"), **folders, steps=9))
    assert [s.makes.parent.name for s in made.steps if s.makes] == ["no-latent", "all", "known"]
    assert {str(s.makes.parents[1]) for s in made.steps if s.makes} == {"out/fast-9"}
    made = planning.plan(experiment, words.Given(Path("out"), **folders, limit=2, sidd=Path("S"), runs=("sidd",)))
    train, measure = (parse(s.argv) for s in made.steps)
    assert (train.sidd, train.sidd_share) == (Path("S"), 1)
    assert (measure.json.name, measure.limit, measure.submission) == ("result-limit-2.json", 2, None)


def result(psnr: float, count: int, sha256: str = "ab") -> Result:
    images = tuple(Measured(str(i), {"psnr": psnr + i}, 0.5) for i in range(count))
    cell = Cell("I", "CBSD68", "sigma 30", images, complete=count == 3)
    return Result("gaussian", "fast", False, sha256, {}, 1.0, (cell,))


def test_what_was_never_measured_is_no_failure(tmp_path):
    result(30.0, 2).write(tmp_path / "own.json")
    text, close = report.beside_results(tmp_path / "own.json", [])
    assert close
    assert "no expected numbers yet" in text
    assert "as expected" not in text


def test_a_part_is_compared_with_the_same_part(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    result(30.0, 3).write(tmp_path / "known.json")
    for psnr, count, sha256, well, says in (
        (30.0, 3, "ab", True, "1 of 1"),
        (30.005, 2, "ab", True, "1 of 1"),
        (30.5, 2, "ab", False, "0 of 1"),
        (30.5, 2, "cd", True, "other weights"),
    ):
        result(psnr, count, sha256).write(tmp_path / "own.json")
        text, close = report.beside_results(tmp_path / "own.json", ["known.json"])
        assert close is well
        assert says in text
        expected = 30 + (count - 1) / 2
        assert re.search(rf"{psnr + (count - 1) / 2:.2f} \| +{expected:.2f} \|", text)


def test_an_ablation_stands_beside_its_documented_numbers(tmp_path):
    experiment = EXPERIMENTS["table-09"]
    folders = {"data": Path("D"), "train": Path("T"), "val": Path("V")}
    made = planning.plan(experiment, words.Given(tmp_path, **folders, settle=5))
    assert report.beside_documented(experiment.ablation, made.measured) == "Nothing is measured yet."
    by_name = {m.folder.name: m for m in made.measured}
    for name, psnr in (("all", 29.0), ("all-settled-5", 30.0)):
        result(psnr, 1).write(by_name[name].result)
    lines = report.beside_documented(experiment.ablation, made.measured).splitlines()[2:4]
    assert [re.split(r" *\| *", line)[1:-1] for line in lines] == [
        ["restoration, KL, reconstruction, adversarial", "CBSD68", "sigma 30", "29.00", "29.55", "-0.55"],
        ["all, settled", "CBSD68", "sigma 30", "30.00", "29.80", "+0.20"],
    ]


def test_validations_of_a_training_are_read_from_its_log(tmp_path):
    experiment = EXPERIMENTS["jpeg-trunk"]
    made = planning.plan(experiment, words.Given(tmp_path, train=Path("T"), val=Path("V"), steps=600))
    log = made.measured[1].folder / "metrics.jsonl"
    log.parent.mkdir(parents=True)
    rows = [{"step": 100, "loss": 1.0}, {"step": 150, "psnr/10": 27.0}, {"step": 600, "psnr/10": 27.5}]
    log.write_text("".join(json.dumps(row) + "\n" for row in rows))
    text = report.beside_documented(experiment.ablation, made.measured)
    found = re.findall(r"(10 at step \d+) +\| +([\d.]+) \| +([\d.]+)", text)
    assert found == [("10 at step 150", "27.00", "26.99"), ("10 at step 600", "27.50", "27.20")]


def test_one_star_is_one_file(tmp_path):
    argv = ("undegrade", "evaluate", "--weights", str(tmp_path / "*.safetensors"))
    with pytest.raises(UndegradeError, match="holds 0 weights files"):
        runner.executable(argv)
    (tmp_path / "a.safetensors").touch()
    assert runner.executable(argv)[-1] == str(tmp_path / "a.safetensors")


@pytest.mark.parametrize(("images", "every", "names"), [(None, 1, "01234567"), (3, 1, "024"), (None, 3, "036")])
def test_pictures_are_spread_evenly(tmp_path, images, every, names):
    (tmp_path / "deeper").mkdir()
    for name in "01234567":
        Image.new("RGB", (4, 4)).save(tmp_path / "deeper" / f"{name}.png")
    (tmp_path / "README.md").touch()
    args = argparse.Namespace(folder=tmp_path, images=images, every=every)
    assert "".join(file.stem for file in pictures.picked(args)) == names


def test_a_table_runs_from_start_to_end_and_other_pictures_are_noticed(tmp_path, capfd):
    (tmp_path / "data" / "Set5").mkdir(parents=True)
    for seed in range(5):
        Image.fromarray(make_photo(64, 48, seed)).save(tmp_path / "data" / "Set5" / f"{seed}.png")
    out = tmp_path / "out"
    argv = ["table-05", str(tmp_path / "data"), "--datasets", "Set5", "--cases", "x4 g_2.0", "--limit", "2"]
    assert runner.main([*argv, "--out", str(out)]) == 1
    own = Result.read(out / "sr-x4-fast.json").cells[0]
    known = Result.read(ROOT / "results" / "sr-x4-fast.json").cell("V", "Set5", "x4 g_2.0")
    assert len(own.images) == 2
    expected = np.mean([i.values["psnr"] for i in known.images[:2]])
    text = capfd.readouterr().out
    assert re.search(rf"x4 g_2\.0 \| +2 \| +{own.mean('psnr'):.2f} \| +{expected:.2f} \|", text)
    assert "0 of 2 numbers are as expected" in text


def test_missing_data_is_said_before_anything_runs(tmp_path, capsys):
    assert runner.main(["table-05", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "get Urban100" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_figure_4_has_the_documented_points(tmp_path):
    (step,) = planning.plan(EXPERIMENTS["fig-04"], words.Given(tmp_path)).steps
    assert importlib.import_module("fig_04").run(parse(step.argv)) == 0

    def points(path):
        with path.open(newline="") as file:
            return {tuple(row[:3]): float(row[3]) for row in list(csv.reader(file))[1:]}

    assert points(tmp_path / "fig-04.csv") == pytest.approx(points(ROOT / "docs/figures/fig-04.csv"), abs=1e-4)
    assert (tmp_path / "fig-04.png").stat().st_size > 0


@pytest.fixture(scope="module")
def small_sets(tmp_path_factory):
    """DATA and VAL for the studies: a few pictures of 144 x 160, two photographs of one camera."""
    root = tmp_path_factory.mktemp("sets")
    files = ["CBSD68/a.png", "CBSD68/b.png", "BSD100/108005.png", "Set5/butterfly_GT.png", "LIVE1/a.png", "val/a.png"]
    files += [
        f"CC15/{part}/{camera}_{n}_{part}.png" for part in ("real", "mean") for camera in ("a_1", "b_2") for n in "12"
    ]
    for seed, name in enumerate(files):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(seed).normal(0, 5 * ("real" in name), (144, 160, 3))
        Image.fromarray((make_photo(144, 160, 0) + noise).round().clip(0, 255).astype(np.uint8)).save(root / name)
    return root


@pytest.mark.slow
@pytest.mark.parametrize("name", [e.name for e in experiments.STUDIES if not e.takes])
def test_every_study_runs_on_small_pictures(name, small_sets, tmp_path, capsys):
    if name == "sigma":
        pytest.importorskip("pywt")
    if name == "coverage" and not all(card.intervals for card in shipped_cards()):
        pytest.skip("not all shipped weights have intervals yet; tests/test_coverage.py runs it with others")
    given = words.Given(
        tmp_path, small_sets, val=small_sets / "val" if "val" in words.needs(EXPERIMENTS[name])[0] else None
    )
    for step in planning.plan(EXPERIMENTS[name], given).steps:
        assert importlib.import_module(Path(step.argv[1]).stem).run(parse(step.argv)) == 0
    table = capsys.readouterr().out
    assert len(re.findall(r"\d\.\d", table)) >= 4
    for file in re.findall(r"^-> (.*)$", table, re.M):
        assert Path(file).stat().st_size > 0


@pytest.mark.slow
def test_an_ablation_trains_and_measures_and_goes_on_where_it_was(tmp_path, capfd):
    for name, count, size in (("train", 2, 96), ("val", 1, 256), ("data/CBSD68", 2, 48)):
        (tmp_path / name).mkdir(parents=True)
        for seed in range(count):
            Image.fromarray(make_photo(size, size, seed)).save(tmp_path / name / f"{seed}.png")
    argv = ["table-09", str(tmp_path / "data"), "--out", str(tmp_path / "out"), "--steps", "1", "--settle", "1"]
    argv += ["--train", str(tmp_path / "train"), "--val", str(tmp_path / "val"), "--runs", "no-latent"]
    argv += ["--variant", "fast", "--recipe", "cpu"]
    for again in (False, True):
        assert runner.main(argv) == 0
        text = capfd.readouterr().out
        assert ("result.json is there." in text) is again
        assert re.search(r"restoration +\| CBSD68 +\| sigma 30 +\| +[\d.]+ \| +29\.78", text)
        assert re.search(r"no-latent, settled +\| CBSD68 +\| sigma 30 +\| +[\d.]+ \| +29\.89", text)
