"""Models to and from the Hugging Face Hub, without a network."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import undegrade
from tests.pictures import make_photo
from undegrade.errors import UndegradeError
from undegrade.model.architecture import Architecture
from undegrade.tasks import TASKS
from undegrade.weights.card import read_weights
from undegrade.weights.names import weights_file


def test_without_the_library_it_says_how_to_get_it() -> None:
    code = "import sys; sys.modules['huggingface_hub'] = None; import undegrade.hub"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "the Hub needs huggingface_hub; install it with: pip install 'undegrade[hub]'" in done.stderr


class TestWithTheLibrary:
    @pytest.fixture(autouse=True)
    def _offline(self, monkeypatch: pytest.MonkeyPatch) -> None:
        pytest.importorskip("huggingface_hub")
        monkeypatch.setattr("socket.socket.connect", lambda *a: pytest.fail("network"))

    @pytest.mark.parametrize("name", ["gaussian-fast", "sr-x2-fast"])
    def test_a_shipped_model_comes_back_with_its_card(self, tmp_path: Path, name: str) -> None:
        from undegrade.hub import VDIR

        VDIR.of(name).save_pretrained(tmp_path / "model")
        assert {file.name for file in (tmp_path / "model").iterdir()} == {
            "model.safetensors",
            "config.json",
            "README.md",
        }
        loaded = VDIR.from_pretrained(tmp_path / "model")
        shipped = read_weights(weights_file(name))
        assert loaded.card == shipped.card
        assert loaded.architecture == shipped.architecture
        assert not loaded.training
        image = make_photo(40, 56, 1).astype(np.float32) / 255
        expected = undegrade.load(shipped.card.task, shipped.card.variant, engine="torch", device="cpu")(image)
        found = loaded.pipeline()(image)
        np.testing.assert_array_equal(found.image, expected.image)
        np.testing.assert_array_equal(found.estimate, expected.estimate)

    def test_bounds_and_conditioning_are_kept(self, tmp_path: Path) -> None:
        from undegrade.hub import VDIR

        architecture = TASKS["universal"].variants["wide"]
        VDIR(architecture).save_pretrained(tmp_path)
        loaded = VDIR.from_pretrained(tmp_path)
        assert loaded.architecture == architecture
        assert loaded.estimator.bounds == architecture.bounds
        assert loaded.card is None
        with pytest.raises(UndegradeError, match="no card of a known task"):
            loaded.pipeline()

    def test_the_page_says_what_it_is(self, tmp_path: Path) -> None:
        from huggingface_hub import ModelCard

        from undegrade.hub import VDIR

        model = VDIR.of("gaussian-fast")
        model.save_pretrained(tmp_path)
        page = ModelCard.load(tmp_path / "README.md")
        assert (page.data.license, page.data.library_name) == ("apache-2.0", "undegrade")
        assert TASKS["gaussian"].summary in page.text
        assert "BSDS500" in page.text
        assert "| CBSD68 sigma 50 psnr | 27.8803 |" in page.text

    def test_it_is_pushed_as_it_is_saved(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from huggingface_hub import hub_mixin

        from undegrade.hub import VDIR

        class Api:
            def __init__(self, token: str | None = None) -> None:
                assert token == "secret"

            def create_repo(self, repo_id: str, **_: object) -> object:
                return type("Url", (), {"repo_id": repo_id})

            def upload_folder(self, repo_id: str, folder_path: Path, **_: object) -> str:
                shutil.copytree(folder_path, tmp_path / "there")
                return f"https://hub.example/{repo_id}"

        monkeypatch.setattr(hub_mixin, "HfApi", Api)
        model = VDIR(Architecture(restorer="fast"))
        assert model.push_to_hub("me/mine", token="secret") == "https://hub.example/me/mine"
        loaded = VDIR.from_pretrained(tmp_path / "there")
        assert torch.equal(loaded.restorer.head.weight, model.restorer.head.weight)

    def test_what_does_not_fit_is_refused(self, tmp_path: Path) -> None:
        from undegrade.hub import VDIR

        VDIR(Architecture(restorer="fast")).save_pretrained(tmp_path)
        config = json.loads((tmp_path / "config.json").read_text())
        for changed, message in (
            ({"architecture": {**config["architecture"], "restorer": "full"}}, "do not match the architecture"),
            ({"architecture": {**config["architecture"], "restorer": "huge"}}, "cannot build the architecture"),
            ({"architecture": config["architecture"], "card": {"task": "gaussian"}}, "card cannot be used"),
            ({}, "no architecture in its config.json"),
        ):
            (tmp_path / "config.json").write_text(json.dumps(changed))
            with pytest.raises(UndegradeError, match=message):
                VDIR.from_pretrained(tmp_path)
