"""How the relay's processes leave the machine to all other work."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path


def lowest_priority() -> None:
    """nice 19, and idle input and output where the system knows it; for this process and those that it starts."""
    os.nice(19)
    # Linux shares the CPU among groups of processes first, and nice counts only within one: the relay has its own.
    with suppress(OSError):
        Path("/proc/self/autogroup").write_text("19")
    if ionice := shutil.which("ionice"):
        subprocess.run([ionice, "-c", "3", "-p", str(os.getpid())], check=False)


def environment(source: Path) -> dict[str, str]:
    """Of a training: the code in ``source``, cores by UNDEGRADE_TRAIN_THREADS, threads that sleep while they wait."""
    found = {"PYTHONPATH": f"{source}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    if threads := os.environ.get("UNDEGRADE_TRAIN_THREADS"):
        found |= {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
    # Threads that spin while they wait for one another stop a training as soon as other work takes one of the cores:
    # with one of two busy it saw 15 to 29 kpixel/s, and 52 where they soon sleep. On an idle machine both are alike.
    return {"GOMP_SPINCOUNT": "20000"} | os.environ | found
