"""Folders on a disk, in a store in memory, and in a store of a local server that speaks S3."""

import os
import uuid

import pytest

from tests.cluster.places import forget
from undegrade.cluster.storage import Place


@pytest.fixture(scope="session")
def s3():
    """Makes buckets: returns their addresses."""
    server_module = pytest.importorskip("moto.server", reason="make test-ray installs it")
    pytest.importorskip("s3fs", reason="make test-ray installs it")
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    ours = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ours.items():
            patch.setitem(os.environ, name, value)

        def bucket() -> str:
            url = f"s3://bucket-{uuid.uuid4().hex}"
            Place.of(url).fs.mkdir(url)
            return url

        yield bucket
    server.stop()


@pytest.fixture(params=["disk", "memory", pytest.param("s3", marks=[pytest.mark.ray, pytest.mark.slow])])
def root(request, tmp_path):
    """Where test folders lie: a path or an address, without a slash at its end."""
    forget()
    if request.param == "s3":
        yield request.getfixturevalue("s3")()
    else:
        yield str(tmp_path) if request.param == "disk" else "memory://bucket"
    forget()


@pytest.fixture
def photos(root):
    return Place.of(f"{root}/photos")


@pytest.fixture
def out(root):
    return Place.of(f"{root}/out")
