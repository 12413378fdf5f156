"""From an experiment and what was given on the command line to the commands that are run."""

from __future__ import annotations

from collections import ChainMap
from dataclasses import dataclass, fields
from pathlib import Path

from schema import Ablation, Experiment, Training
from words import Given, Value, Words, fill, trains, words_of

from undegrade.errors import UndegradeError


@dataclass(frozen=True)
class Step:
    """One command.

    Attributes:
        argv: its words; the first is ``undegrade`` or ``python``.
        makes: a file; where it is there, the command need not be run again.
    """

    argv: tuple[str, ...]
    makes: Path | None = None


@dataclass(frozen=True)
class Measured:
    """What an ablation leaves of one training.

    Attributes:
        training: which.
        row: what to call it.
        settled: whether its restorer has learned on.
        folder: of the run.
        result: the file with its measurements; None where nothing is measured.
    """

    training: Training
    row: str
    settled: bool
    folder: Path
    result: Path | None


@dataclass(frozen=True)
class Plan:
    """What is run, in order, and of an ablation where to find what comes of it, run now or before."""

    steps: tuple[Step, ...]
    measured: tuple[Measured, ...] = ()


def plan(experiment: Experiment, given: Given, gpu: bool = False) -> Plan:
    """The commands.

    Args:
        experiment: which.
        given: by the command line.
        gpu: whether there is one; of an ablation that decides how much is trained.

    Raises:
        UndegradeError: something that it needs was not given, or something was that it makes no use of.
    """
    words = Words(experiment, given)
    if experiment.ablation is not None:
        made = _ablation(experiment.ablation, words, given, gpu)
    else:
        templates = [experiment.training] * trains(experiment, given) + list(experiment.commands)
        commands = [fill(template, words) for template in templates]
        if given.extra or experiment.takes:
            commands = _with_extra(experiment, commands, given.extra)
            words.used.add("extra")
        made = Plan(tuple(Step(argv) for argv in commands))
    for field in fields(given):
        if field.name not in words.used and getattr(given, field.name):
            option = "options after --" if field.name == "extra" else f"--{field.name}"
            raise UndegradeError(f"{experiment.name} makes no use of {option}; leave it out.")
    return made


def _with_extra(
    experiment: Experiment, commands: list[tuple[str, ...]], extra: tuple[str, ...]
) -> list[tuple[str, ...]]:
    """The options after ``--`` added to every command, if all are the same one."""
    if not extra:
        raise UndegradeError(f"{experiment.name} needs options after --; for example: -- {experiment.takes}")
    if len({argv[:2] for argv in commands}) > 1:
        raise UndegradeError(
            f"{experiment.name} runs different commands; print them by --dry-run and run the one that you want to "
            f"change."
        )
    return [argv + extra for argv in commands]


def _ablation(ablation: Ablation, words: Words, given: Given, gpu: bool) -> Plan:
    scale = ablation.gpu if gpu else ablation.cpu
    steps, variant = given.steps or scale.steps, given.variant or scale.variant
    if ablation.every_validation and steps < 4:
        raise UndegradeError("there are four validations; give at least 4 --steps.")
    words.used |= {"steps", "variant", "recipe", "runs", "sidd"} | ({"settle"} if ablation.settle else set())
    words |= {
        "out": str(given.out / f"{variant}-{steps}"),
        "variant": variant,
        "recipe": given.recipe or scale.recipe,
        "steps": str(steps),
        "quarter": str(steps // 4),
        "settle": str(given.settle),
        # Measurements on some images only must not be taken for those on all.
        "result": "result.json" if given.limit is None else f"result-limit-{given.limit}.json",
    }
    chosen = _chosen(ablation, given)
    settling = [t for t in chosen if (t.settles or given.runs)] if given.settle is not None else []
    made: list[Step] = []
    for training in chosen:
        own = _own(training, words, given)
        made.append(Step(fill(ablation.train, own)))
        made += _measuring(ablation, own)
    for training in settling:
        own = _own(training, words, given)
        made.append(Step(fill(ablation.settle, own)))
        made += _measuring(ablation, _own(training, words, given, settled=True))
    made += [Step(fill(ablation.health, _own(t, words, given))) for t in chosen if t.latent and ablation.health]
    measured = [_measured(ablation, t, words, given, settled=False) for t in ablation.trainings]
    if given.settle is not None:
        measured += [_measured(ablation, t, words, given, settled=True) for t in ablation.trainings]
    if ablation.table:
        rows = [f"{m.row}={m.result}" for m in measured]
        made.append(Step((*fill("python {here}/compare.py --skip-missing", words), ablation.table, *rows)))
    return Plan(tuple(made), tuple(measured))


def _chosen(ablation: Ablation, given: Given) -> list[Training]:
    """The trainings that are asked for; without ``--runs`` those that there is data for."""
    names = [training.name for training in ablation.trainings]
    unknown = [name for name in given.runs if name not in names]
    if unknown:
        raise UndegradeError(f"there is no run {unknown[0]}; choose from {', '.join(names)}.")
    if given.runs:
        return [training for training in ablation.trainings if training.name in given.runs]
    return [t for t in ablation.trainings if given.sidd is not None or "sidd" not in words_of(t.flags)]


def _own(training: Training, words: Words, given: Given, settled: bool = False) -> ChainMap[str, Value]:
    """The words of one training's commands; what is settled has a folder of its own."""
    name = f"{training.name}-settled-{given.settle}" if settled else training.name
    submission = [] if given.limit is not None else ["--submission", f"{words['out']}/{name}/submission"]
    flags = list(fill(training.flags, words))
    return ChainMap({"training": name, "submission": submission, "flags": flags}, words)


def _measuring(ablation: Ablation, own: ChainMap[str, Value]) -> list[Step]:
    if not ablation.measure:
        return []
    return [Step(fill(ablation.measure, own), Path(f"{own['out']}/{own['training']}/{own['result']}"))]


def _measured(ablation: Ablation, training: Training, words: Words, given: Given, settled: bool) -> Measured:
    folder = Path(str(words["out"])) / (f"{training.name}-settled-{given.settle}" if settled else training.name)
    row = f"{training.name}, settled" if settled else training.row
    return Measured(training, row, settled, folder, folder / str(words["result"]) if ablation.measure else None)
