"""The queue file, whose turn it is, and the page that is made of it."""

import json
import math
import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / "training"))

import entries
import page
from entries import Standing, initial_weights, next_cooldown, next_entry, read_queue, standing

from undegrade.weights.card import Card

ENTRY = read_queue()[0]
START = Standing(0, 0, 0.0, None, (), ())


def test_the_page_is_not_stale():
    assert page.PAGE.read_text(encoding="utf-8") == page.render(), "run: python training/page.py"


def test_every_entry_says_what_undegrade_train_understands():
    import argparse

    from undegrade.cli.train import add_arguments
    from undegrade.train.options import TrainOptions, plan

    for entry in read_queue():
        parser = argparse.ArgumentParser()
        add_arguments(parser)
        words = [entry.task, "--variant", entry.variant, *entry.options, "--data", "d", "--out", "o", "--open-ended"]
        args = parser.parse_args(words)
        made = plan(TrainOptions(**{f.name: getattr(args, f.name) for f in fields(TrainOptions)}))
        assert made.recipe.steps is None
        name = f"{made.task.name}-{made.variant}"
        assert made.architecture.scale_head is entry.scale_head
        assert made.recipe.int8 is entry.int8
        if ending := "-scale" * entry.scale_head + "-int8" * entry.int8:
            assert (entry.name, entry.start) == (name + ending, name)
        else:
            assert entry.name == name


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("pixels = 8e9\n", ""), "missing or unknown"),
        (("share = 1\n", "share = 1\nspeed = 2\n"), "missing or unknown"),
        (("pixels = 8e9", "pixels = -1"), "are not valid"),
        (('name = "gaussian-fast"', 'name = "universal-fast"'), "same name"),
    ],
)
def test_mistakes_in_the_queue_are_named(tmp_path, change, message):
    text = entries.QUEUE.read_text().replace(*change, 1)
    (tmp_path / "queue.toml").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_queue(tmp_path / "queue.toml")


def test_cooldowns_come_after_every_so_many_pixels_and_at_the_end():
    entry = replace(ENTRY, pixels=25, cooldown_every=10)
    at = [next_cooldown(entry, replace(START, results=({"stable_pixels": p},))) for p in (0, 9, 10, 20, 24, 25, 30)]
    assert at == [10, 10, 20, 25, 25, math.inf, math.inf]


def test_shares_are_kept_and_entries_without_one_wait():
    a, b, c = (replace(ENTRY, name=n, share=s) for n, s in (("a", 2), ("b", 1), ("c", 0)))
    done = replace(START, results=({"stable_pixels": ENTRY.pixels},))
    states = {"a": replace(START, seconds=100), "b": replace(START, seconds=60), "c": START}
    assert next_entry([a, b, c], states, set()) is a
    assert next_entry([a, b, c], states | {"a": replace(START, seconds=130)}, set()) is b
    assert next_entry([a, b, c], states, {"a", "b"}) is c
    assert next_entry([a, b, c], {"a": done, "b": done, "c": START}, set()) is c
    assert next_entry([a, b, c], {"a": done, "b": done, "c": done}, set()) is None


def state(folder, **meta):
    (folder / "state-00000007").mkdir(parents=True)
    (folder / "state-00000007" / "manifest.json").write_text(json.dumps({"step": 7, "meta": meta}))


def test_where_a_run_stands_is_read_from_the_disk(tmp_path):
    assert standing(ENTRY, tmp_path, tmp_path) == START
    run = tmp_path / ENTRY.name
    state(run, pixels=700, seconds=3.5, started_from="another-model 0123", pixels_before=50)
    for number in (1, 2, 3):
        state(run / f"cooldown-0000000{number}", pixels=1, seconds=1, cooldown={"pixels": 100 * number})
    (run / "cooldown-00000009.tmp").mkdir()
    for number in (1, 2):
        (run / f"cooldown-0000000{number}" / "w.safetensors").touch()
    (run / "cooldown-00000001" / "result.json").write_text('{"mean_gain": 0.5}')
    found = standing(ENTRY, tmp_path, tmp_path)
    assert (found.pixels, found.before, found.seconds) == (700, 0, 3.5)
    assert found.results == ({"mean_gain": 0.5, "stable_pixels": 100},)
    assert [w.parent.name for w in found.unmeasured] == ["cooldown-00000002"]
    assert found.cooling.name == "cooldown-00000003"


def test_a_run_without_states_goes_on_from_the_shipped_weights_of_its_name(tmp_path):
    # On another machine the states are lost; what was shipped has seen its pixels all the same.
    entry = replace(ENTRY, pixels=2500, cooldown_every=1000)
    card = Card.from_json((entries.SHIPPED / "gaussian-fast.json").read_text())
    (tmp_path / f"{entry.name}.json").write_text(replace(card, pixels=1200).to_json())
    (tmp_path / f"{entry.name}.safetensors").touch()
    found = standing(entry, tmp_path / "runs", tmp_path)
    assert (found.pixels, found.before, next_cooldown(entry, found)) == (1200, 1200, 2000)
    assert initial_weights(entry, tmp_path / "runs", tmp_path) == tmp_path / f"{entry.name}.safetensors"
    origin = {"started_from": f"{entry.name} 0123456789ab", "pixels_before": 1200}
    run = tmp_path / "runs" / entry.name
    state(run, pixels=900, seconds=1, **origin)
    state(run / "cooldown-00000001", pixels=990, seconds=1, cooldown={"pixels": 800}, **origin)
    (run / "cooldown-00000001" / "w.safetensors").touch()
    (run / "cooldown-00000001" / "result.json").write_text("{}")
    found = standing(entry, tmp_path / "runs", tmp_path)
    assert (found.pixels, found.results[0]["stable_pixels"]) == (2100, 2000)
    assert next_cooldown(entry, found) == 2500


def test_a_scale_head_is_for_shipped_weights_and_done_where_they_have_one(tmp_path):
    entry = next(entry for entry in read_queue() if entry.name == "gaussian-fast-scale")
    assert read_queue()[-1].scale_head  # after everything else
    # Cooled weights may never be shipped: their head would be of no use.
    (tmp_path / "gaussian-fast" / "cooldown-00000001").mkdir(parents=True)
    (tmp_path / "gaussian-fast" / "cooldown-00000001" / "w.safetensors").touch()
    assert initial_weights(entry, tmp_path).parent == entries.SHIPPED
    with pytest.raises(LookupError, match="waits for weights of gaussian-fast"):
        initial_weights(entry, tmp_path, tmp_path)
    card = Card.from_json((entries.SHIPPED / "gaussian-fast.json").read_text())
    for head, pixels, wanted in (({}, 0, entry.pixels), ({"steps": 9, "sha256": "ab"}, entry.pixels, math.inf)):
        (tmp_path / "gaussian-fast.json").write_text(replace(card, scale_head=head).to_json())
        found = standing(entry, tmp_path / "runs", tmp_path)
        assert (found.pixels, next_cooldown(entry, found)) == (pixels, wanted)
    state(tmp_path / "runs" / entry.name, pixels=700, seconds=3.5, started_from="gaussian-fast 0123")
    assert standing(entry, tmp_path / "runs", tmp_path).pixels == 700


def test_an_int8_form_is_for_shipped_weights_and_done_where_it_is_theirs(tmp_path):
    entry = next(entry for entry in read_queue() if entry.name == "gaussian-fast-int8")
    (tmp_path / "gaussian-fast" / "cooldown-00000001").mkdir(parents=True)
    (tmp_path / "gaussian-fast" / "cooldown-00000001" / "w.safetensors").touch()
    assert initial_weights(entry, tmp_path).parent == entries.SHIPPED
    card = Card.from_json((entries.SHIPPED / "gaussian-fast.json").read_text())
    (tmp_path / "gaussian-fast.json").write_text(card.to_json())
    for begun, wanted in (
        ("gaussian-fast 0123", entry.cooldown_every),
        (f"gaussian-fast {card.restorer_sha256[:12]}", math.inf),
    ):
        (tmp_path / "gaussian-fast-int8.json").write_text(replace(card, started_from=begun).to_json())
        assert next_cooldown(entry, standing(entry, tmp_path / "runs", tmp_path)) == wanted


def test_weights_to_start_from_are_cooled_ones_then_shipped_ones(tmp_path):
    assert initial_weights(replace(ENTRY, start="nothing"), tmp_path, tmp_path) is None
    assert initial_weights(replace(ENTRY, start="gaussian-fast"), tmp_path).parent == entries.SHIPPED
    with pytest.raises(LookupError, match="waits for weights of huge"):
        initial_weights(replace(ENTRY, start="huge"), tmp_path)
    for step in (1, 2):
        (tmp_path / "gaussian-fast" / f"cooldown-0000000{step}").mkdir(parents=True)
        (tmp_path / "gaussian-fast" / f"cooldown-0000000{step}" / "w.safetensors").touch()
    found = initial_weights(replace(ENTRY, start="gaussian-fast"), tmp_path)
    assert found.parent.name == "cooldown-00000002"
