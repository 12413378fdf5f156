"""Widths of intervals: between and beyond their knots, as JSON, on a card."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from tests.weights.test_card import card, message, model, rehash
from undegrade.errors import UndegradeError
from undegrade.weights.card import Card, load_weights, save_weights
from undegrade.weights.intervals import LEVELS, Intervals, Widths, WidthsBySeverity

WIDTHS = Widths((1.0, 2.0, 4.0), {level: (level, 3 * level, 3 * level) for level in LEVELS})
KNOWN = Intervals(
    WidthsBySeverity((0.0,), (WIDTHS,)),
    {name: WidthsBySeverity((5.0,), (WIDTHS,)) for name in ("noise level", "JPEG quality")},
    "640 crops of 192 x 192 of 20 pictures",
)


def test_between_and_beyond_the_knots():
    half = WIDTHS(np.array([[0.0, 1.0, 1.5], [3.0, 4.0, 8.0]], np.float32), 0.5)
    np.testing.assert_allclose(half, [[0.5, 0.5, 1.0], [1.5, 1.5, 3.0]])
    assert half.dtype == np.float32
    with pytest.raises(UndegradeError, match=r"level 0\.7; give one of: 0\.5, 0\.8, 0\.9, 0\.95"):
        WIDTHS(np.ones(3), 0.7)


def test_many_values_are_worked_on_in_parts(monkeypatch):
    b = np.random.default_rng(0).random((37, 41)).astype(np.float32) * 5
    whole = WIDTHS(b, 0.9)
    monkeypatch.setattr("undegrade.weights.intervals._AT_ONCE", 100)
    np.testing.assert_array_equal(WIDTHS(b, 0.9), whole)


@pytest.mark.parametrize(
    "changes",
    [
        {"scales": (2.0, 1.0, 4.0)},
        {"scales": (1.0, 1.0, 4.0)},
        {"scales": (1.0, 2.0)},
        {"scales": (-1.0, 2.0, 4.0)},
        {"widths": {0.9: (1.0, 2.0, 3.0)}},
        {"widths": {**WIDTHS.widths, 0.9: (2.0, 1.0, 3.0)}},
        {"widths": {**WIDTHS.widths, 0.9: (1.0, 2.0, float("inf"))}},
    ],
)
def test_what_is_not_monotone_or_not_a_number_is_refused(changes):
    with pytest.raises(ValueError, match=r"must|levels"):
        dataclasses.replace(WIDTHS, **changes)
    with pytest.raises(ValueError, match="above 0"):
        Widths((0.0,), dict.fromkeys(LEVELS, (1.0,)))


def test_those_of_an_estimates_spread_alone_are_read_too():
    old = KNOWN.to_dict() | {"estimates": {"noise level": WIDTHS.to_dict()}}
    found = Intervals.from_dict(old).estimates["noise level"]
    assert found.at("", 3.0) == found.at("", 90.0) == WIDTHS


def test_a_card_brings_them_back(tmp_path: Path):
    assert Intervals.from_dict(json.loads(json.dumps(KNOWN.to_dict()))) == KNOWN
    assert Intervals.from_dict(Intervals().to_dict()) == Intervals()
    facts = {"sha256": "0" * 64, "steps": 3}
    weights = save_weights(model(), tmp_path, "x", card(scale_head=facts, intervals=KNOWN.to_dict()))
    _, found = load_weights(weights)
    assert Intervals.from_dict(found.intervals) == KNOWN
    assert (found.scale_head, found.restorer_sha256) == (facts, "0" * 64)
    assert Card.from_json(found.to_json()) == found


def test_cards_without_are_as_they_were(tmp_path: Path):
    plain = save_weights(model(), tmp_path, "x", card())
    assert {"scale_head", "intervals"}.isdisjoint(json.loads(plain.with_suffix(".json").read_text()))
    found = load_weights(plain)[1]
    assert (found.intervals, found.scale_head, found.restorer_sha256) == ({}, {}, found.sha256)


PLAIN = WidthsBySeverity((1.0,), (WIDTHS,)).to_dict()


@pytest.mark.parametrize(
    "intervals",
    [
        {"pixels": None},
        {**KNOWN.to_dict(), "more": 1},
        {**KNOWN.to_dict(), "pixels": {"scales": [1, "2"], "widths": {}}},
        {**KNOWN.to_dict(), "pixels": {"severities": [1.0], "widths": [{**WIDTHS.to_dict(), "scales": [3, 2, 1]}]}},
        {
            **KNOWN.to_dict(),
            "pixels": {"severities": [1.0], "widths": [{**WIDTHS.to_dict(), "widths": {"0.9": [1, 2, 3]}}]},
        },
        {**KNOWN.to_dict(), "pixels": {"severities": [2.0, 1.0], "widths": [WIDTHS.to_dict()] * 2}},
        {**KNOWN.to_dict(), "pixels": {"severities": [float("nan")], "widths": [WIDTHS.to_dict()]}},
        {**KNOWN.to_dict(), "pixels": {"severities": [1.0, 2.0], "widths": [WIDTHS.to_dict()]}},
        {**KNOWN.to_dict(), "pixels": {"severities": [1.0], "widths": 3}},
        {**KNOWN.to_dict(), "pixels": {"kinds": 3}},
        {**KNOWN.to_dict(), "pixels": {**PLAIN, "kinds": [PLAIN]}},
        {**KNOWN.to_dict(), "pixels": {**PLAIN, "kinds": {"fog": 3}}},
        {**KNOWN.to_dict(), "pixels": {**PLAIN, "kinds": {"\x1b[31m": PLAIN}}},
        {**KNOWN.to_dict(), "pixels": {**PLAIN, "kinds": {"fog": {**PLAIN, "kinds": {}}}}},
        {**KNOWN.to_dict(), "pixels": {**PLAIN, "kinds": {f"fog{i}": PLAIN for i in range(21)}}},
        {**KNOWN.to_dict(), "estimates": {"\x1b[31m": WIDTHS.to_dict()}},
        [],
    ],
)
def test_intervals_that_make_no_sense_are_no_card(tmp_path: Path, intervals: object):
    weights = save_weights(model(), tmp_path, "x", card())
    rehash(weights, intervals=intervals)
    assert "not a card of undegrade weights" in message(weights)


def test_between_severities_the_widths_are_between():
    mild, strong = WIDTHS, Widths((0.5, 3.0), {level: (10 * level, 60 * level) for level in LEVELS})
    pixels = WidthsBySeverity((5.0, 25.0), (mild, strong))
    b = np.linspace(0.0, 9.0, 50)
    np.testing.assert_array_equal(pixels.at("", -1.0)(b, 0.9), mild(b, 0.9))
    np.testing.assert_array_equal(pixels.at("", 99.0)(b, 0.9), strong(b, 0.9))
    np.testing.assert_array_equal(pixels.at("", float("nan"))(b, 0.9), mild(b, 0.9))
    np.testing.assert_allclose(pixels.at("", 10.0)(b, 0.9), 0.75 * mild(b, 0.9) + 0.25 * strong(b, 0.9), rtol=1e-6)
    assert WidthsBySeverity.from_dict(json.loads(json.dumps(pixels.to_dict()))) == pixels


def test_a_kind_has_its_own_widths_and_the_others_those_of_all():
    fog, other = (Widths((1.0,), {level: (factor * level,) for level in LEVELS}) for factor in (2, 3))
    pixels = WidthsBySeverity((0.0,), (other,), {"fog": WidthsBySeverity((5.0,), (fog,))})
    assert (pixels.at("fog", 7.0), pixels.at("rain", 7.0), pixels.at("", 0.0)) == (fog, other, other)
    assert WidthsBySeverity.from_dict(json.loads(json.dumps(pixels.to_dict()))) == pixels
