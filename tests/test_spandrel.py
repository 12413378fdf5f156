"""The models in spandrel itself: found by their shapes, with the pipeline's results."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import undegrade
from tests.pictures import make_photo
from undegrade.errors import UndegradeError
from undegrade.spandrel import ID, install
from undegrade.tasks import TASKS
from undegrade.weights.card import shipped_cards

WEIGHTS = Path(undegrade.__file__).parent / "weights"


def test_without_spandrel_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "spandrel", None)
    with pytest.raises(UndegradeError, match=r"pip install 'undegrade\[spandrel\]'"):
        install()


class TestInSpandrel:
    @pytest.fixture(autouse=True)
    def _needs(self) -> None:
        pytest.importorskip("spandrel")

    def test_the_main_registry_knows_the_models_once(self) -> None:
        import spandrel

        before = ID in spandrel.MAIN_REGISTRY
        install()
        count = len(spandrel.MAIN_REGISTRY)
        install()
        assert len(spandrel.MAIN_REGISTRY) == count
        assert before or ID in spandrel.MAIN_REGISTRY

    @pytest.mark.parametrize("card", shipped_cards(), ids=lambda card: card.name)
    def test_a_shipped_model_is_found_and_restores_as_the_pipeline_does(self, card) -> None:
        import spandrel

        install()
        found = spandrel.ModelLoader().load_from_file(WEIGHTS / f"{card.name}.safetensors")
        assert isinstance(found, spandrel.ImageModelDescriptor)
        architecture = TASKS[card.task].variants[card.variant]
        assert found.architecture.id == ID
        assert (found.scale, found.input_channels, found.output_channels) == (architecture.scale, 3, 3)
        assert found.purpose == ("Restoration" if architecture.scale == 1 else "SR")
        assert found.tags == [architecture.restorer]
        image = torch.from_numpy(make_photo(61, 54, 2)).permute(2, 0, 1)[None] / 255
        with torch.no_grad():
            restored = found.eval()(image)
        expected = undegrade.load(card.task, card.variant, engine="torch", device="cpu")(image).image.clamp(0, 1)
        np.testing.assert_allclose(restored.numpy(), expected.numpy(), rtol=0, atol=1e-5)

    def test_bfloat16_where_it_says_so(self) -> None:
        import spandrel

        install()
        found = spandrel.ModelLoader().load_from_file(WEIGHTS / "gaussian-fast.safetensors")
        image = torch.from_numpy(make_photo(40, 32, 2)).permute(2, 0, 1)[None] / 255
        with torch.no_grad():
            whole = found(image)
            half = found.bfloat16()(image.bfloat16())
        assert half.dtype == torch.bfloat16
        assert float((half.float() - whole).abs().max()) < 0.05
        with pytest.raises(spandrel.UnsupportedDtypeError):
            found.half()

    def test_other_networks_are_left_to_others(self) -> None:
        import spandrel

        install()
        with pytest.raises(spandrel.UnsupportedModelError):
            spandrel.ModelLoader().load_from_state_dict({"encoder.logvar.weight": torch.zeros(1)})

    def test_a_registry_of_the_callers_own(self) -> None:
        import spandrel

        registry = spandrel.ArchRegistry()
        install(registry)
        assert [support.architecture.id for support in registry] == [ID]
