"""What an experiment is: values only. ``experiments.py`` and ``ablations.py`` list them, ``plan.py`` makes commands.

A command is a template. Words in braces are filled in:

- ``{data}``, ``{train}``, ``{val}``, ``{out}``, ``{sidd}``: the folders that are given to ``run.py``;
- ``{here}``: this folder;
- ``{CBSD68}`` and other names of benchmark sets: their folders inside DATA;
- ``{results}``: the folder of the committed results;
- ``{weights:NAME}``: shipped weights, or what ``--weights`` or a training puts in their place; ``{shipped:NAME}``:
  shipped weights always;
- ``{subset}``: what ``--datasets``, ``--cases`` and ``--limit`` say; ``{limit}``: the last of these alone;
- in an ablation ``{training}``, ``{flags}``, ``{variant}``, ``{recipe}``, ``{steps}``, ``{quarter}`` (of the steps),
  ``{settle}``, ``{submission}`` (an option, where one can be written) and ``{result}``, the name of a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Place = tuple[str, str]
"""What a number belongs to: dataset and case, e.g. ("CBSD68", "sigma 30"); of a training's own validation
(:data:`HELD_OUT`, "LABEL at step N")."""

HELD_OUT = "held-out"


@dataclass(frozen=True)
class Scale:
    """How large a model is trained, how and for how long, if nobody says otherwise."""

    variant: str
    recipe: str
    steps: int


@dataclass(frozen=True)
class Training:
    """One of the trainings that an ablation compares.

    Attributes:
        name: of its folder.
        shows: which loss terms or which framework it has.
        flags: options of ``undegrade train`` that the others do not have; a template. A training whose flags name
            ``{sidd}`` is left out where that folder is not given.
        row: what to call it in the comparison; the paper's words where the paper has such a row.
        settles: whether its restorer learns on in the part that ``--settle`` asks for.
        latent: whether there is a latent to look into.
        expected: PSNR in dB that is documented, at the documented number of steps.
        expected_settled: the same after the documented ``--settle``.
    """

    name: str
    shows: str
    flags: str
    row: str = ""
    settles: bool = False
    latent: bool = False
    expected: Mapping[Place, float] = field(default_factory=dict)
    expected_settled: Mapping[Place, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Ablation:
    """Trainings that are alike but for some flags, measured alike.

    Attributes:
        trainings: what is compared.
        train: the command that makes one of them; a template.
        measure: the command that measures one, writing ``{out}/{training}/{result}``; a template, "" for none.
        settle: the command that lets one restorer learn on, its latent's parts frozen; "" for none.
        health: the command that looks into one's latent; "" for none.
        table: of the paper, to put the rows beside; "" for none.
        cpu, gpu: without and with a GPU.
        documented: under what conditions the expected numbers were measured, as options of ``run.py``.
        every_validation: show all validations of each training, not just the last.
    """

    trainings: tuple[Training, ...]
    train: str
    cpu: Scale
    gpu: Scale
    documented: str
    measure: str = ""
    settle: str = ""
    health: str = ""
    table: str = ""
    every_validation: bool = False


@dataclass(frozen=True)
class Experiment:
    """Something that anyone can run again.

    Attributes:
        name: for the command line.
        shows: what it shows, in a sentence.
        commands: templates, run in this order, after the trainings.
        hardware: what it was run on and what took how long, in words.
        hours: how long it takes there, without training; of an ablation with its trainings, as documented.
        expected: the documented numbers in words, and where more of them stand.
        data: benchmark sets that must be in DATA.
        results: file that a command writes in ``{out}`` -> files in ``results/`` with the numbers to expect in it;
            none where it was not measured yet.
        training: the command that trains the model anew, where ``--train`` and ``--val`` are given; a template that
            writes to ``{out}/training``. What it makes takes the place of the first ``{weights:NAME}``.
        training_hours: how long that takes.
        ablation: trainings to compare.
        takes: an example of the options that must be given after ``--``; "" where none must.
    """

    name: str
    shows: str
    commands: tuple[str, ...]
    hardware: str
    hours: float
    expected: str
    data: tuple[str, ...] = ()
    results: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    training: str = ""
    training_hours: float | None = None
    ablation: Ablation | None = None
    takes: str = ""
