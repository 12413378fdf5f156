"""What the relay knows of processes."""

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "training"))

from lock import await_stopped, is_stopped


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="elsewhere it is not known")
def test_a_process_is_awaited_that_stops_when_its_turn_comes() -> None:
    """On a busy machine make train-status said that a relay ran which had just been paused."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        assert not await_stopped(process.pid, 0.1)
        threading.Timer(0.4, process.send_signal, [signal.SIGSTOP]).start()
        assert await_stopped(process.pid)
        assert is_stopped(process.pid)
    finally:
        process.kill()
        process.wait()
    assert not await_stopped(process.pid)
