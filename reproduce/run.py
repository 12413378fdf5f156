"""Run a table, a figure or a study again, and put the result beside what is documented.

    python reproduce/run.py                                 # list them
    python reproduce/run.py table-07 DATA                   # measure the shipped weights
    python reproduce/run.py table-07 DATA --train DIR --val DIR     # train anew, then measure
    python reproduce/run.py table-09 DATA --train DIR --val DIR --steps 1500
    python reproduce/run.py kernels DATA --dry-run          # what it shows, and its commands
    python reproduce/run.py strength DATA -- --images 12    # options of the command itself

DATA is the folder of the benchmark sets. Stop a run and start it again at will: trainings go on where they were.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

from experiments import EXPERIMENTS
from plan import Plan, plan
from report import beside_documented, beside_results
from schema import Experiment
from words import Given, needs, trains

from undegrade.data.catalogue import DATASETS, images
from undegrade.errors import UndegradeError


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="run.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("name", nargs="?", metavar="NAME", help="of an experiment (default: list them)")
    made.add_argument("data", nargs="?", type=Path, metavar="DATA", help="folder of the benchmark sets")
    made.add_argument("--dry-run", action="store_true", help="print the commands and what to expect")
    made.add_argument("--out", type=Path, metavar="DIR", help="for all that is written (default: runs/NAME)")
    made.add_argument("--train", type=Path, metavar="DIR", help="clean training images")
    made.add_argument("--val", type=Path, metavar="DIR", help="clean images held out of training")
    made.add_argument("--sidd", type=Path, metavar="DIR", help="SIDD-Medium sRGB, for a run of table-08-10")
    made.add_argument(
        "--weights", nargs="+", default=(), metavar="W", help="other models than the shipped fast ones: files or names"
    )
    part = made.add_argument_group("of measurements")
    part.add_argument("--datasets", nargs="+", default=(), metavar="NAME", help="only these")
    part.add_argument("--cases", nargs="+", default=(), metavar="CASE", help="only these, e.g. --cases 'sigma 50'")
    part.add_argument("--limit", type=int, metavar="N", help="only the first N images of each set")
    part = made.add_argument_group("of ablations")
    part.add_argument("--steps", type=int, metavar="N", help="length of each training (default: as listed)")
    part.add_argument("--runs", nargs="+", default=(), metavar="RUN", help="only these trainings")
    part.add_argument(
        "--settle", type=int, metavar="N", help="then N steps of the restorers alone, of --runs or the usual ones"
    )
    part.add_argument("--variant", metavar="V", help="which restorer (default: by what there is, a GPU or not)")
    part.add_argument("--recipe", metavar="R", help="how it is trained (default: likewise)")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if argv is None else argv)
    end = words.index("--") if "--" in words else len(words)
    args = parser().parse_args(words[:end])
    try:
        if args.name is None:
            print("\n".join(listed(experiment) for experiment in EXPERIMENTS.values()))
            return 0
        if args.name not in EXPERIMENTS:
            raise UndegradeError(f"there is no experiment {args.name!r}; choose one of {', '.join(EXPERIMENTS)}.")
        return run(EXPERIMENTS[args.name], given(args, words[end + 1 :]), args.dry_run)
    except UndegradeError as error:
        print(f"run.py: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130


def given(args: argparse.Namespace, extra: Sequence[str]) -> Given:
    """The command line as a value; in a dry run with words for folders that are missing."""
    for name in ("limit", "steps", "settle"):
        if getattr(args, name) is not None and getattr(args, name) < 1:
            raise UndegradeError(f"--{name} must be at least 1.")
    folders = {name: getattr(args, name) for name in ("data", "train", "val", "sidd")}
    if args.dry_run and args.name in EXPERIMENTS:
        always, _ = needs(EXPERIMENTS[args.name])
        folders |= {name: Path(name.upper()) for name in always if folders[name] is None}
    return Given(
        out=args.out or Path("runs") / str(args.name),
        weights=tuple(args.weights),
        datasets=tuple(args.datasets),
        cases=tuple(args.cases),
        limit=args.limit,
        steps=args.steps,
        settle=args.settle,
        variant=args.variant,
        recipe=args.recipe,
        runs=tuple(args.runs),
        extra=tuple(extra),
        **folders,
    )


def run(experiment: Experiment, asked: Given, dry: bool) -> int:
    """Run all commands, then compare; the exit code is that of the first command that fails, or 1 for other numbers.

    Raises:
        UndegradeError: it cannot start, or weights that a command needs are not there.
    """
    made = plan(experiment, asked, _gpu() if experiment.ablation else False)
    if dry:
        print("\n".join((about(experiment), wrapped(f"Expected: {experiment.expected}"))))
        for step in made.steps:
            print(shell(step.argv))
        return 0
    _check_data(experiment, asked)
    asked.out.mkdir(parents=True, exist_ok=True)
    print(about(experiment), flush=True)
    for step in made.steps:
        print(f"\n$ {shell(step.argv)}", flush=True)
        if step.makes is not None and step.makes.is_file():
            print(f"{step.makes} is there.", flush=True)
            continue
        code = subprocess.run(executable(step.argv)).returncode
        if code != 0:
            return code
    return compared(experiment, asked, made)


def compared(experiment: Experiment, asked: Given, made: Plan) -> int:
    """Print ours and the expected numbers; 1 if they are of the same weights and differ."""
    well = True
    for own, names in experiment.results.items():
        if (asked.out / own).is_file():
            text, close = beside_results(asked.out / own, names)
            print(f"\n{text}")
            well = well and close
    if experiment.ablation is not None:
        print(f"\n{beside_documented(experiment.ablation, made.measured)}")
    print(f"\nDocumented: {experiment.expected}")
    return 0 if well else 1


def executable(argv: Sequence[str]) -> list[str]:
    """The command for this interpreter, with the weights that a star stands for.

    Raises:
        UndegradeError: there are none, or several.
    """
    program = [sys.executable, *(("-m", "undegrade") if argv[0] == "undegrade" else ())]
    found = []
    for word in argv[1:]:
        if Path(word).name != "*.safetensors":
            found.append(word)
            continue
        files = sorted(Path(word).parent.glob("*.safetensors"))
        if len(files) != 1:
            raise UndegradeError(
                f"{Path(word).parent} holds {len(files)} weights files, not one; finish the training, or use "
                f"another "
                "--out."
            )
        found.append(str(files[0]))
    return program + found


def listed(experiment: Experiment) -> str:
    """Name, what it needs, how long it takes; what it shows."""
    always, besides = needs(experiment)
    wanted = [f"DATA ({', '.join(experiment.data)})" if name == "data" else f"--{name} DIR" for name in always]
    more = f" [{' '.join(f'--{name} DIR' for name in besides)}]" if besides else ""
    shows = textwrap.indent(textwrap.fill(experiment.shows, 100), "    ")
    return f"{experiment.name} {' '.join(wanted)}{more}   ({duration(experiment.hours)})\n{shows}"


def about(experiment: Experiment) -> str:
    """What to know before it starts, as comment lines."""
    lines = [experiment.shows, f"Hardware: {experiment.hardware}"]
    for training in experiment.ablation.trainings if experiment.ablation else ():
        lines.append(f"Run {training.name}: {training.shows}.")
    time = duration(experiment.hours)
    if experiment.training_hours is not None:
        time += f"; to train anew, with --train and --val, {duration(experiment.training_hours)} more"
    lines.append(f"Time: {time}.")
    return "\n".join(wrapped(line) for line in lines)


def wrapped(line: str) -> str:
    """A comment of a few lines."""
    return textwrap.fill(line, 118, initial_indent="# ", subsequent_indent="#   ")


def shell(argv: Sequence[str]) -> str:
    """A command to copy; a star stays one for the shell."""
    return shlex.join(argv).replace("/*.safetensors'", "'/*.safetensors")


def duration(hours: float) -> str:
    """In a unit that fits."""
    if hours >= 1:
        return "about an hour" if hours == 1 else f"about {hours:.2g} hours"
    return f"about {60 * hours:.0f} minutes" if hours > 0.02 else f"about {3600 * hours:.0f} seconds"


def _check_data(experiment: Experiment, asked: Given) -> None:
    """Say now, not after hours, what is missing."""
    if asked.data is None:
        return
    for dataset in DATASETS:
        if dataset.name in experiment.data and (not asked.datasets or dataset.name in asked.datasets):
            images(dataset, asked.data)
    if trains(experiment, asked) and (asked.train is None or asked.val is None):
        raise UndegradeError("a training needs both --train DIR and --val DIR.")


def _gpu() -> bool:
    import torch

    return torch.cuda.is_available()


if __name__ == "__main__":
    raise SystemExit(main())
