"""The figures that look into the latent, and studies that compute something of their own: see ``experiments.py``."""

from __future__ import annotations

from schema import Experiment

_GAUSSIAN = "--weights {weights:gaussian-fast} --out {out}"

FIGURES = (
    Experiment(
        name="fig-04",
        shows="Fig. 4, PSNR against JPEG quality, ours beside the paper's, drawn from the committed results.",
        commands=(
            "python {here}/fig_04.py {results}/jpeg-fast-live1.json {results}/jpeg-fast-urban100.json --out "
            "{out}/fig-04",
        ),
        hardware="one CPU core: 3 seconds. table-07 measures anew and draws the same.",
        hours=0.001,
        expected="docs/figures/fig-04.csv, the same numbers.",
    ),
    Experiment(
        name="fig-05-06",
        shows="Figs. 5 and 6: pictures at sigma 30 restored with the latent of themselves, of their mirror image, of "
        "sigma 10 and of sigma 50. Writes fig-05.png (crops, PSNRs), fig-06.png (latents), fig-05.csv, fig-05.md.",
        commands=(f"undegrade analyse manipulate --data {{CBSD68}} --show 126007 --crop 130 190 {_GAUSSIAN}",),
        hardware="one CPU core: 10 minutes for all 68, 2.5 with -- --images 16.",
        hours=0.17,
        expected="of gaussian-fast 30.21, 30.14, 28.58 and 29.03 dB (docs/latent.md).",
        data=("CBSD68",),
    ),
    Experiment(
        name="fig-07",
        shows="Fig. 7: AvgPool(c) of 100 patches at sigma 10, 15, ..., 55: 1,000 points; t-SNE, and what the points "
        "say as numbers. Writes fig-07.png, fig-07.csv (the points) and fig-07-numbers.csv.",
        commands=(f"undegrade analyse map --data {{val}} {_GAUSSIAN}",),
        hardware="one CPU core: 20 seconds.",
        hours=0.006,
        expected="R^2 above 0.99 for the noise level (docs/latent.md).",
    ),
    Experiment(
        name="fig-08",
        shows="Fig. 8: AvgPool(c) of patches of photographs, of images with synthetic camera noise and with Gaussian "
        "noise; t-SNE, and how far the sources are apart, by two models. Writes fig-08.png, fig-08.csv (the points) "
        "and fig-08-numbers.csv of each.",
        commands=tuple(
            "undegrade analyse sources --data {val} --photographs {CC15}/real --means {CC15}/mean "
            f"--weights {{weights:{name}}} --out {{out}}/{name}"
            for name in ("real-fast", "gaussian-fast")
        ),
        hardware="one CPU core: 20 seconds each.",
        hours=0.012,
        expected="a classifier separates photographs from their means with noise in 0.58 by real-fast, 0.97 by "
        "gaussian-fast (docs/latent.md).",
        data=("CC15",),
    ),
    Experiment(
        name="steer",
        shows="The latent steered: the direction is found on one set of images and tried on another. Writes steer.png "
        "and steer.csv.",
        commands=(f"undegrade analyse steer --data {{CBSD68}} --probe {{val}} --images 12 --show 126007 {_GAUSSIAN}",),
        hardware="one CPU core: a minute.",
        hours=0.02,
        expected="rank correlations of 1, -1 and -1 (docs/latent.md).",
        data=("CBSD68",),
    ),
    Experiment(
        name="latent-swap",
        shows="Fig. 5's experiment as numbers: PSNR at sigma 30 with no latent, with another picture's, and with those "
        "of sigma 10 and 50. Writes swap.csv (every picture).",
        commands=(f"undegrade analyse swap --data {{CBSD68}} {_GAUSSIAN}",),
        hardware="one CPU core: 5 minutes.",
        hours=0.09,
        expected="of gaussian-fast 30.21 dB with its own latent; 1.24 dB lost without, 0.14 with another picture's, "
        "1.62 with that of sigma 10 and 1.18 with that of sigma 50 (docs/latent.md).",
        data=("CBSD68",),
    ),
)

STUDIES = (
    Experiment(
        name="photographs",
        shows="What becomes of photographs: crops to look at, how much of their detail is kept, and the noise that is "
        "read off them. Writes photographs.jpg, camera-noise.jpg and camera-noise.csv.",
        commands=(
            "python {here}/photographs.py {CC15} --weights {weights:gaussian-fast} {weights:real-fast} --out {out} "
            "--format jpg",
        ),
        hardware="2 CPU cores: a minute.",
        hours=0.02,
        expected="photograph 33.41, gaussian-fast 33.60, real-fast 37.29 dB, detail kept 0.993 and 0.940; noise of 4.3 "
        "levels measured, 4.7 estimated, rank correlation -0.07 (docs/notebook.md).",
        data=("CC15",),
    ),
    Experiment(
        name="uncertainty",
        shows="Whether a larger standard deviation over samples means a larger error. Writes uncertainty.csv and .png.",
        commands=(
            "python {here}/uncertainty.py {CBSD68} --images 10 --weights {weights:gaussian-fast} --out "
            "{out}/uncertainty",
        ),
        hardware="one CPU core: 100 seconds.",
        hours=0.03,
        expected="rank correlations of 0.29, 0.35 and 0.34 per pixel, 0.67, 0.72 and 0.70 per block; the error is "
        "13.7, 21.4 and 24.9 times the standard deviation (docs/notebook.md).",
        data=("CBSD68",),
    ),
    Experiment(
        name="coverage",
        shows="Whether intervals hold as much as they say, on held-out pictures and on benchmarks, also within tenths "
        "of the pixels by b; and how wide they are beside two baselines. Writes a CSV file and a reliability diagram "
        "for each model. --limit 4 with -- --samples 0 is quick.",
        commands=tuple(
            f"python {{here}}/coverage.py {{data}} --val {{val}} --weights {{weights:{name}}} --out {{out}}/{name} "
            "{limit}"
            for name in ("universal-wide", "gaussian-fast", "jpeg-fast", "real-fast", "sr-x2-fast", "sr-x4-fast")
        ),
        hardware="one CPU core: 50 minutes of its time.",
        hours=0.8,
        expected="90 % intervals of the specialists hold 84.4 to 91.0 % on the benchmarks, those of universal-wide "
        "78.8 to 94.2 % (docs/uncertainty.md).",
        data=("CBSD68", "LIVE1", "CC15", "BSD100"),
    ),
    Experiment(
        name="kernels",
        shows="How near the estimated blur kernels are to the true ones, beside a guess that looks at no image. "
        "Writes a CSV file for each factor.",
        commands=tuple(
            f"python {{here}}/kernels.py {{BSD100}} --weights {{weights:{task}-fast}} --out {{out}}/{task}.csv"
            for task in ("sr-x2", "sr-x4")
        ),
        hardware="one CPU core: 35 seconds.",
        hours=0.01,
        expected="at width 3 L1 of 0.05 (x2) and 0.24 (x4), a guess 0.13 and 0.28; g_ani 0.48 and 0.49 "
        "(docs/notebook.md).",
        data=("BSD100",),
    ),
    Experiment(
        name="task-choice",
        shows="What `undegrade restore` does without a task, and what that does to the picture. The second command "
        "looks at whether clean pictures are left alone.",
        commands=(
            "python {here}/task_choice.py {val} --every 2 --side 256",
            "python {here}/task_choice.py {val} --cases clean",
        ),
        hardware="one CPU core: 5 minutes by estimate.",
        hours=0.1,
        expected="all 40 clean pictures are left alone (docs/notebook.md).",
    ),
    Experiment(
        name="sigma",
        shows="How far the estimated noise level is off, beside scikit-image's. Writes sigma.csv (every image).",
        commands=("python {here}/sigma.py {data} --weights {weights:gaussian-fast} --out {out}/sigma.csv {limit}",),
        hardware="one CPU core: 5 minutes; pip install 'undegrade[reproduce]' first.",
        hours=0.1,
        expected="of gaussian-fast on CBSD68 off by 0.82, 0.59, 0.32, 0.29 and 0.36 levels; scikit-image by 1.89, "
        "1.45, 0.54, 0.38 and 0.52.",
        data=("CBSD68",),
    ),
    Experiment(
        name="clipping",
        shows="universal-wide beside gaussian-fast, under noise as the tables have it and as files have it.",
        commands=("python {here}/clipping.py {val}",),
        hardware="one core of an AMD EPYC with AVX2, other work beside it: 2 minutes.",
        hours=0.03,
        expected="universal-wide is 0.76, 0.63 and 0.72 dB behind at sigma 10, 30 and 50 unclipped; in 8 bits 0.51 "
        "behind, 0.51 and 1.42 ahead (docs/notebook.md).",
    ),
    Experiment(
        name="pooling",
        shows="What it brings to move the restorer's latent towards its mean over the picture, universal-wide.",
        commands=("python {here}/pooling.py {val}",),
        hardware="one core of an AMD EPYC with AVX2: 10 minutes.",
        hours=0.2,
        expected="Of the weights of 4.94e9 pixels: at 0.5 clean photographs 51.69 instead of 49.42 dB, JPEG at quality "
        "80 and camera noise 0.05 dB more, noise in one half of a picture 0.26 less (docs/notebook.md).",
    ),
    Experiment(
        name="enlarged",
        shows="Crops of enlarged pictures: the small file, its bicubic enlargement, ours, and the original. Writes "
        "enlarged.jpg.",
        commands=(
            "python {here}/enlarged.py {Set5}/butterfly_GT {BSD100}/108005 "
            "--weights {weights:sr-x2-fast} {weights:sr-x4-fast} --out {out}/enlarged.jpg",
        ),
        hardware="one CPU core: 10 seconds.",
        hours=0.003,
        expected="docs/figures/enlarged.jpg.",
        data=("Set5", "BSD100"),
    ),
    Experiment(
        name="jpeg-projection",
        shows="What the steps in a JPEG file's header are worth: PSNR of the file, of what the network makes of its "
        "pixels, and of that kept to what the file says; and of the last once it is saved as a JPEG again.",
        commands=(
            "python {here}/jpeg_projection.py {LIVE1} --weights {weights:jpeg-fast} --qualities 40 80 90 95 --half",
        ),
        hardware="one CPU core with bfloat16: 2 minutes by estimate.",
        hours=0.04,
        expected="at 95 with full chroma 41.79 dB become 41.19 by the network and 42.30 kept to the file's steps, "
        "41.57 saved as a JPEG again (docs/notebook.md). With -- --every 3 --qualities 90 92 saving again gains "
        "0.5 and 0.2 to 0.4.",
        data=("LIVE1",),
    ),
    Experiment(
        name="jpeg-projection-twice",
        shows="The same for pictures that were saved before, for which the header's steps are too fine.",
        commands=(
            "python {here}/jpeg_projection.py {val} --weights {weights:jpeg-fast} --reduce 2 --side 256 --every 3 "
            "--half --before 30 --qualities 75 95",
        ),
        hardware="one CPU core with bfloat16: a minute.",
        hours=0.02,
        expected="saved at 30 and again at 75, keeping to the steps costs 0.02 (4:2:0) and 0.08 dB (4:4:4) of a gain "
        "of 0.8 and 0.9; saved again at 95, half of it.",
    ),
    Experiment(
        name="displacement",
        shows="By how much an enlarged file is displaced against its bicubic enlargement, in pixels of the result.",
        commands=("python {here}/displacement.py {BSD100} --weights {weights:sr-x2-fast} {weights:sr-x4-fast}",),
        hardware="one CPU core: a minute.",
        hours=0.02,
        expected="mean and largest: x2 bicubic 0.003 and 0.019, x2 area 0.004 and 0.014, x4 bicubic 0.005 and 0.027, "
        "x4 area 0.007 and 0.059.",
        data=("BSD100",),
    ),
    Experiment(
        name="camera",
        shows="How strong the camera's noise is on photographs, as CBDNet draws it and as `real` is trained, and what "
        "it costs.",
        commands=("python {here}/camera.py {val}",),
        hardware="one CPU core: a few seconds.",
        hours=0.002,
        expected="medians of 22.0 and 31.8 dB on the held-out images that `real` was set up with.",
    ),
    Experiment(
        name="strength",
        shows="What --strength does, and whether it is better than mixing the picture with its restoration. Writes "
        "strength.csv.",
        commands=(
            "python {here}/strength.py {CBSD68} --images 4 --weights {weights:gaussian-fast} --out {out}/strength.csv",
        ),
        hardware="one CPU core: 80 seconds.",
        hours=0.022,
        expected="30.73 dB at strength 1 (5.68 levels of noise left, 5.85 of detail lost), 29.75 at 0.5 "
        "(docs/notebook.md).",
        data=("CBSD68",),
    ),
    Experiment(
        name="compare",
        shows="A table of the paper that compares models, from results of `undegrade evaluate --json`: ours, the "
        "paper's, the difference.",
        commands=("python {here}/compare.py",),
        hardware="any: a second.",
        hours=0.001,
        expected="as in the files that are given.",
        takes='IX "restoration=no-latent.json" "two-stage=two-stage.json"',
    ),
)
