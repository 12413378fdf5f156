"""What the relay does next, without processes of its own."""

import signal
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "training"))

import entries
import relay


@pytest.fixture
def loop(tmp_path, monkeypatch):
    """A relay with a folder of its own, that takes no signals."""
    monkeypatch.setenv("UNDEGRADE_CACHE", str(tmp_path))
    (tmp_path / "relay").mkdir()
    made = relay.Relay.__new__(relay.Relay)
    made.stopping, made.killed, made.val = False, {}, tmp_path
    return made


@pytest.mark.parametrize("end", ["stopped", "killed"])
def test_a_measuring_that_was_cut_off_is_begun_again(tmp_path, monkeypatch, loop, capsys, end):
    # It printed nothing: the relay looked for the last line of its log and ended with an IndexError.
    weights = tmp_path / "cooldown" / "own.safetensors"
    weights.parent.mkdir()
    entry = entries.Entry("own", "gaussian", "fast", "nothing", (), 1e9, 1e9, 5.0, 1.0)
    found = entries.Standing(0, 0, 9.0, None, (weights,), ())

    class Cut:
        def __init__(self, *_args, **_options):
            loop.stopping = end == "stopped"

        def terminate(self):
            pass

        def wait(self):
            return -signal.SIGKILL

    monkeypatch.setattr(relay.subprocess, "Popen", Cut)
    assert loop.turn(entry, found)
    assert "no message" not in capsys.readouterr().out

    class Whole(Cut):
        def __init__(self, *_args, stdout, **_options):
            weights.with_name("result.json").write_text("{}")
            stdout.write(b"own: 31.4 dB\n")

        def wait(self):
            return 0

    monkeypatch.setattr(relay.subprocess, "Popen", Whole)
    assert loop.turn(entry, found)
    assert "own: 31.4 dB" in capsys.readouterr().out


def test_the_reason_for_a_failure_is_no_progress_bar(tmp_path):
    (tmp_path / "log").write_text("no images\n0step [00:00, ?step/s]\r9step [00:01, 3step/s]\n")
    assert relay.last_words(tmp_path / "log") == "no images"


@pytest.mark.parametrize(
    ("name", "source", "options", "expected"),
    [
        ("own", "nothing", (), ["--latent-warmup-steps", "0"]),
        ("own", "own", (), ["--latent-warmup-steps", "0"]),
        ("own", "own", ("--latent-warmup-steps", "7"), []),
        ("own", "other", (), []),
    ],
)
def test_weights_of_its_own_need_no_warm_up_of_the_latent(tmp_path, monkeypatch, loop, name, source, options, expected):
    # The restorer stood still for a thousand steps while the latent that it had learned to read moved on.
    for weights in ("own", "other"):
        (tmp_path / f"{weights}.safetensors").touch()
    monkeypatch.setattr(entries, "SHIPPED", tmp_path)
    entry = entries.Entry(name, "gaussian", "fast", source, options, 1e9, 1e9, 5.0, 1.0)
    calls = []
    monkeypatch.setattr(loop, "_call", lambda entry, run, arguments: calls.append(arguments) or True)
    before = 0 if source == "other" else 500  # seen by the weights of its own name
    for pixels, asked in ((before, False), (before + 100, False), (before + 100, True)):
        if asked:
            (relay.folder() / name).mkdir()
            (relay.folder() / name / relay.ASKED).write_text("3")
        loop.turn(entry, entries.Standing(pixels, before, 9.0, None, (), ()))
    first, later, cooldown = calls
    weights = str(tmp_path / f"{source.replace('nothing', 'own')}.safetensors")
    assert first[first.index("--init") :] == ["--init", weights, *expected]
    assert "--init" not in later
    assert later[later.index("--minutes") + 2 :] == expected
    assert cooldown == ["--cooldown", "3", *expected]
