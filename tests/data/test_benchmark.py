"""Benchmarks as values: what they degrade, and their labels in the paper."""

from __future__ import annotations

import numpy as np
import pytest

from undegrade.data.benchmark import Benchmark, blur, gaussian, jpeg
from undegrade.data.catalogue import CBSD68, CC15, LIVE1, SET5
from undegrade.degrade.blur import G_2_0, G_ANI
from undegrade.evaluation.paper import paper


def test_degraded_images_have_the_axes_of_the_clean_ones(photo: np.ndarray) -> None:
    for b in (*gaussian("I", (LIVE1,), (10,)), *jpeg("VI", (LIVE1,), (10,))):
        assert b.degrade(photo)[0].shape == photo.shape
        assert b.degrade(photo[..., 0])[0].shape == photo.shape[:2]
    y, k = blur("V", (SET5,), 4, {"g_2.0": G_2_0})[0].degrade(photo)
    assert y.shape == (24, 32, 3)
    assert y.dtype == np.float32
    assert k == pytest.approx([2, 2, 0])


def test_truth_is_in_the_unit_that_people_use(photo: np.ndarray) -> None:
    assert gaussian("I", (LIVE1,), (25,))[0].degrade(photo)[1] == pytest.approx([25])
    assert jpeg("VI", (LIVE1,), (40,))[0].degrade(photo)[1] == pytest.approx([40])


def test_labels_are_those_of_the_paper() -> None:
    cells = (
        *gaussian("I", (CBSD68,), (10, 70)),
        *jpeg("VII", (LIVE1,), (80,)),
        *blur("IV", (SET5,), 2, {"g_2.0": G_2_0, "g_ani": G_ANI}),
    )
    assert [b.case for b in cells] == ["sigma 10", "sigma 70", "QF 80", "x2 g_2.0", "x2 g_ani"]
    for b in cells:
        assert paper().value(b.table, "psnr", "VDIR", b.dataset.name, b.case) is not None


def test_benchmarks_are_values() -> None:
    assert gaussian("I", (CBSD68,), (10,)) == gaussian("I", (CBSD68,), (10.0,))
    assert len({*jpeg("VI", (LIVE1,), (10, 20)), *jpeg("VI", (LIVE1,), (10, 20))}) == 2
    assert Benchmark("", CC15, "real", None).scale == 1
