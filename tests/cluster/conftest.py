"""A folder on a disk, and one in a store in memory."""

import pytest

from tests.cluster.places import forget
from undegrade.cluster.storage import Place


@pytest.fixture(params=["disk", "memory"])
def root(request, tmp_path):
    """Where test folders lie: a path or an address, without a slash at its end."""
    forget()
    yield str(tmp_path) if request.param == "disk" else "memory://bucket"
    forget()


@pytest.fixture
def photos(root):
    return Place.of(f"{root}/photos")


@pytest.fixture
def out(root):
    return Place.of(f"{root}/out")
