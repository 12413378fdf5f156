"""A worker of Ray, without Ray; with it: ``test_ray.py``."""

from pathlib import Path

import pytest

from undegrade.cluster.pool import Restorer
from undegrade.cluster.remote import RemoteHow
from undegrade.cluster.storage import Place
from undegrade.files.restore_file import FileOptions
from undegrade.files.selector import Selector


@pytest.mark.parametrize(("threads", "said"), [(3, "3"), (None, "1")])
def test_the_libraries_of_a_worker_are_told_its_threads(
    threads: int | None, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {"OMP_NUM_THREADS": "7"}
    monkeypatch.setattr("undegrade.cluster.pool.os.environ", environment)
    place = Place.of(str(tmp_path))
    Restorer(RemoteHow(place, place, FileOptions(), Selector(threads=threads)))
    assert (environment["VIPS_CONCURRENCY"], environment["OMP_NUM_THREADS"]) == (said, "7")
