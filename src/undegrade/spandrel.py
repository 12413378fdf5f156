"""The models for `spandrel <https://chainner.app/spandrel/>`_, with which chaiNNer, ComfyUI and others load networks.

    import spandrel, undegrade.spandrel
    undegrade.spandrel.install()
    model = spandrel.ModelLoader().load_from_file("gaussian-fast.safetensors")
    restored = model(image)                              # (1, 3, H, W) in [0, 1]

The architecture is found by the shapes of the weights; the card is not needed. Spandrel knows pictures only: strength,
samples and estimates are in :mod:`undegrade.inference.pipeline`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from undegrade.degrade.resize import onto_direct_grid
from undegrade.errors import UndegradeError
from undegrade.lazy import needs_torch

if TYPE_CHECKING:
    from spandrel import ArchRegistry

ID = "undegrade"
"""Of the architecture in spandrel's registries."""
_DISTINCTIVE = ("encoder.logvar.weight", "estimator.conv2.weight", "decoder.conv6.weight", "restorer.")


def install(registry: ArchRegistry | None = None) -> None:
    """Make spandrel know the models of this package. A second call changes nothing.

    Args:
        registry: a registry of spandrel; None for its main one, which every ``ModelLoader()`` uses.

    Raises:
        UndegradeError: spandrel or PyTorch is not installed.
    """
    needs_torch("spandrel")
    try:
        import spandrel
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "undegrade":
            raise
        raise UndegradeError(f"this needs {error.name}; install it with: pip install 'undegrade[spandrel]'.") from error
    into = spandrel.MAIN_REGISTRY if registry is None else registry
    into.add(spandrel.ArchSupport.from_architecture(_architecture()), ignore_duplicates=True)


def detect(state: dict[str, Any]) -> bool:
    """Whether weights are of a model of this package, by the names of their tensors."""
    *names, prefix = _DISTINCTIVE
    return all(name in state for name in names) and any(name.startswith(prefix) for name in state)


def _architecture() -> Any:
    """The architecture that spandrel registers; its classes exist only where spandrel is installed."""
    from spandrel import Architecture, ImageModelDescriptor
    from torch import Tensor

    from undegrade.model.recognise import architecture_of
    from undegrade.model.vdir import VDIR

    class Restoring(VDIR):
        """y -> xhat by the mean of the latent, of ordinary pictures: a super-resolver shifts them to its own grid."""

        def forward(self, y: Tensor, *args: Any, **kwargs: Any) -> Tensor:
            return super().forward(onto_direct_grid(y, self.architecture.scale), *args, **kwargs)

    class Undegrade(Architecture[Restoring]):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(id=ID, name="undegrade (VDIR)", detect=detect)

        def load(self, state_dict: dict[str, Any]) -> ImageModelDescriptor[Restoring]:
            found = architecture_of({name: tensor.shape for name, tensor in state_dict.items()})
            if found is None:
                raise UndegradeError("these weights are of no network that this version knows; update undegrade.")
            return ImageModelDescriptor(
                Restoring(found),
                state_dict,
                architecture=self,
                purpose="Restoration" if found.scale == 1 else "SR",
                tags=[found.restorer],
                # float16 overflows on some pictures, and a super-resolver interpolates in float32.
                supports_half=False,
                supports_bfloat16=found.scale == 1,
                scale=found.scale,
                input_channels=found.channels,
                output_channels=found.channels,
            )

    return Undegrade()
