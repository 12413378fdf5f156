"""Every table, figure and study that can be run again: what it shows, its commands, what it needs, what to expect.

``schema.py`` explains the fields and the words in braces, ``run.py`` runs them.
"""

from __future__ import annotations

from ablations import ABLATIONS
from schema import Experiment
from studies import FIGURES, STUDIES

_TRAIN = "--variant fast --recipe cpu --data {train} --val {val} --out {out}/training"
_SETS = ("Set5", "BSD100", "Urban100")

TABLES = (
    Experiment(
        name="table-01",
        shows="Table I, white noise in colour, with gaussian-fast.",
        commands=(
            "undegrade evaluate gaussian --weights {weights:gaussian-fast} --benchmarks {data} --json "
            "{out}/gaussian-fast.json {subset}",
        ),
        hardware="one CPU core: 4 minutes for CBSD68 and Kodak24, 19 for Urban100. Training with bfloat16 is 160 "
        "minutes for 24,000 steps by estimate (0.43 seconds each with all parts learning, 0.36 with the restorer "
        "alone).",
        hours=0.4,
        expected="28.85 dB on Kodak24 at sigma 50 by the shipped weights, which come from four trainings "
        "(docs/notebook.md); from nothing it is not known.",
        data=("CBSD68", "Kodak24", "Urban100"),
        results={"gaussian-fast.json": ("gaussian-fast-cbsd68-kodak24.json", "gaussian-fast-urban100.json")},
        training=f"undegrade train gaussian {_TRAIN}",
        training_hours=2.7,
    ),
    Experiment(
        name="table-01-plus",
        shows="Table I with the self-ensemble of the paper's VDIR+, in half precision.",
        commands=(
            "undegrade evaluate gaussian --weights {weights:gaussian-fast} --self-ensemble --half "
            "--benchmarks {data} --json {out}/gaussian-fast-plus.json {subset}",
        ),
        hardware="one CPU core with bfloat16: 6 minutes for CBSD68 and Kodak24; Urban100 takes about five times as "
        "long by the time of table-01, and has no expected numbers. Without bfloat16 all of it is 3 hours.",
        hours=0.6,
        expected="0.10 to 0.16 dB above table-01.",
        data=("CBSD68", "Kodak24", "Urban100"),
        results={"gaussian-fast-plus.json": ("gaussian-fast-plus-cbsd68.json", "gaussian-fast-plus-kodak24.json")},
    ),
    Experiment(
        name="table-04",
        shows="Table IV, twice the resolution, with sr-x2-fast, and files made small by ordinary resizers; bicubic "
        "enlargement beside both.",
        commands=(
            "undegrade evaluate sr-x2 --weights {weights:sr-x2-fast} --benchmarks {data} --json {out}/sr-x2-fast.json "
            "{subset}",
        ),
        hardware="one CPU core: 10 minutes. Training with bfloat16 is half an hour by estimate; the shipped weights "
        "were trained in two parts (their card says how).",
        hours=0.2,
        expected="34.91 / 30.58 / 28.32 dB on Set5 / BSD100 / Urban100 at g_2.0.",
        data=_SETS,
        results={"sr-x2-fast.json": ("sr-x2-fast.json",)},
        training=f"undegrade train sr-x2 {_TRAIN}",
        training_hours=0.5,
    ),
    Experiment(
        name="table-05",
        shows="Table V, four times the resolution, with sr-x4-fast, and files made small by ordinary resizers; bicubic "
        "enlargement beside both.",
        commands=(
            "undegrade evaluate sr-x4 --weights {weights:sr-x4-fast} --benchmarks {data} --json {out}/sr-x4-fast.json "
            "{subset}",
        ),
        hardware="one CPU core: 3 to 6 minutes. Training with bfloat16 took an hour, shared with other work.",
        hours=0.1,
        expected="30.22 / 26.76 / 24.33 dB on Set5 / BSD100 / Urban100 at g_2.0, and 0.7 or more above bicubic "
        "enlargement where a file was made small by an ordinary resizer.",
        data=_SETS,
        results={"sr-x4-fast.json": ("sr-x4-fast.json",)},
        training=f"undegrade train sr-x4 --steps 6000 --freeze-latent-from 2500 {_TRAIN}",
        training_hours=1.0,
    ),
    Experiment(
        name="table-06",
        shows="Table VI, JPEG artifacts on luma, with jpeg-fast, which takes grey as three equal channels.",
        commands=(
            "undegrade evaluate jpeg-y --weights {weights:jpeg-fast} --benchmarks {data} --json {out}/jpeg-y.json "
            "{subset}",
        ),
        hardware="one CPU core: 60 minutes. Urban100 at quality 30 and 70, 15 minutes of it, has no expected numbers.",
        hours=1.0,
        expected="Classic5 29.20, LIVE1 29.06, Urban100 28.17 dB at quality 10 (docs/notebook.md).",
        data=("Classic5", "LIVE1", "Urban100"),
        results={"jpeg-y.json": ("jpeg-y-by-jpeg-fast.json",)},
    ),
    Experiment(
        name="table-06-plus",
        shows="Table VI with the self-ensemble.",
        commands=(
            "undegrade evaluate jpeg-y --weights {weights:jpeg-fast} --self-ensemble --benchmarks {data} --json "
            "{out}/jpeg-y-plus.json {subset}",
        ),
        hardware="one CPU core: 8 hours by estimate, eight times table-06; 100 minutes for Classic5 and LIVE1.",
        hours=8.0,
        expected="not measured yet.",
        data=("Classic5", "LIVE1", "Urban100"),
        results={"jpeg-y-plus.json": ()},
    ),
    Experiment(
        name="universal",
        shows="What the universal model makes of white noise, JPEG artifacts and a camera's noise without being told.",
        commands=(
            "undegrade evaluate universal --weights {weights:universal-wide} --benchmarks {data} --json "
            "{out}/universal-wide.json {subset}",
        ),
        hardware="one CPU core: 7 minutes.",
        hours=0.15,
        expected="CBSD68 35.13, 29.72, 27.39 and 25.89, LIVE1 26.86, 31.32 and 34.99, CC15 36.42 dB (docs/models.md).",
        data=("CBSD68", "LIVE1", "CC15"),
        results={"universal-wide.json": ("universal-wide.json", "universal-wide-live1.json")},
        training="undegrade train universal --variant wide --recipe cpu --data {train} --val {val} "
        "--out {out}/training",
        training_hours=13.0,
    ),
    Experiment(
        name="table-07",
        shows="Table VII and Fig. 4, JPEG artifacts in colour, with jpeg-fast. In a training the restorer starts as "
        "that of gaussian-fast, the rest from nothing.",
        commands=(
            "undegrade evaluate jpeg --weights {weights:jpeg-fast} --benchmarks {data} --json {out}/jpeg-fast.json "
            "{subset}",
            "python {here}/fig_04.py {out}/jpeg-fast.json --out {out}/fig-04",
        ),
        hardware="one CPU core: 70 minutes, 10 of them for LIVE1. Training with bfloat16 is an hour by estimate; the "
        "shipped weights were made in two parts (their card says how), as a whole this was not run.",
        hours=1.2,
        expected="LIVE1 27.01, Urban100 26.13 dB at quality 10 (docs/notebook.md).",
        data=("LIVE1", "Urban100"),
        results={"jpeg-fast.json": ("jpeg-fast-live1.json", "jpeg-fast-urban100.json")},
        training=f"undegrade train jpeg --init {{shipped:gaussian-fast}} --init-parts restorer --steps 8000 "
        f"--latent-warmup-steps 1000 --freeze-latent-from 3000 --lr 8e-4 {_TRAIN}",
        training_hours=1.0,
    ),
    Experiment(
        name="table-07-plus",
        shows="Table VII with the self-ensemble.",
        commands=(
            "undegrade evaluate jpeg --weights {weights:jpeg-fast} --self-ensemble --benchmarks {data} --json "
            "{out}/jpeg-fast-plus.json {subset}",
        ),
        hardware="one CPU core: 9 hours by estimate, eight times table-07; 75 minutes for LIVE1.",
        hours=9.2,
        expected="not measured yet.",
        data=("LIVE1", "Urban100"),
        results={"jpeg-fast-plus.json": ()},
    ),
    Experiment(
        name="input-columns",
        shows="The columns of Tables IV to VII that need no model: JPEG and Bicubic.",
        commands=("undegrade calibrate --benchmarks {data}",),
        hardware="2 CPU cores: 2 minutes.",
        hours=0.04,
        expected="41 of 43 cells agree within 0.02 dB and 0.002 SSIM; the other two are the paper's own discrepancy "
        "(Table IV, g_ani, BSD100 and Urban100).",
        data=("Set5", "BSD100", "Urban100", "Classic5", "LIVE1"),
    ),
    Experiment(
        name="files",
        shows="Files made small by bicubic resizing and by area averaging, x2 and x4, beside bicubic enlargement; and "
        "by how much what is enlarged is displaced against it.",
        commands=(
            "undegrade evaluate sr-x2 --weights {weights:sr-x2-fast} --benchmarks {data} --json {out}/sr-x2-fast.json "
            '--cases "x2 bicubic" "x2 area" {limit}',
            "undegrade evaluate sr-x4 --weights {weights:sr-x4-fast} --benchmarks {data} --json {out}/sr-x4-fast.json "
            '--cases "x4 bicubic" "x4 area" {limit}',
            "python {here}/displacement.py {BSD100} --weights {weights:sr-x2-fast} {weights:sr-x4-fast}",
        ),
        hardware="one CPU core: 15 minutes.",
        hours=0.25,
        expected="0.7 to 2.5 dB above bicubic enlargement, a displacement under 0.1 pixels (docs/notebook.md).",
        data=_SETS,
        results={"sr-x2-fast.json": ("sr-x2-fast.json",), "sr-x4-fast.json": ("sr-x4-fast.json",)},
    ),
    Experiment(
        name="cc15",
        shows="Photographs of three cameras: real-fast, the same with the self-ensemble, and gaussian-fast, which "
        "knows white noise only.",
        commands=tuple(
            f"undegrade evaluate real --weights {{weights:{weights}}} --datasets CC15 --benchmarks {{data}} "
            f"--json {{out}}/{name}.json {options} {{limit}}"
            for weights, name, options in (
                ("real-fast", "real-fast", ""),
                ("real-fast", "real-fast-plus", "--self-ensemble --half"),
                ("gaussian-fast", "gaussian-fast", ""),
            )
        ),
        hardware="one CPU core with bfloat16: 2 minutes.",
        hours=0.04,
        expected="37.29, 37.42 and 33.60 dB.",
        data=("CC15",),
        results={
            "real-fast.json": ("cc15-real-fast.json",),
            "real-fast-plus.json": ("cc15-real-fast-plus.json",),
            "gaussian-fast.json": ("cc15-gaussian-fast.json",),
        },
    ),
)

EXPERIMENTS = {e.name: e for e in (*TABLES, *ABLATIONS, *FIGURES, *STUDIES)}
