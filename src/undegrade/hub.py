"""Models to and from the Hugging Face Hub, by the mixin of ``huggingface_hub``.

    from undegrade.hub import VDIR
    model = VDIR.of("gaussian-fast")                    # a shipped model, or your own weights file
    model.push_to_hub("name/gaussian-fast")             # needs a token; save_pretrained(folder) needs none
    model = VDIR.from_pretrained("name/gaussian-fast")  # or the folder
    restored = model.pipeline()(image).image

A model there is ``model.safetensors`` in float32, ``config.json`` with architecture and card, and a ``README.md``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from undegrade.errors import UndegradeError
from undegrade.inference.pipeline import Pipeline
from undegrade.lazy import needs_torch
from undegrade.model.architecture import Architecture
from undegrade.tasks import TASKS
from undegrade.weights.card import Card, load_weights
from undegrade.weights.licence import is_shipped, licence
from undegrade.weights.names import weights_file

needs_torch("a model of the Hub")
try:
    from huggingface_hub import ModelCard, ModelCardData, PyTorchModelHubMixin
except ModuleNotFoundError as error:
    raise UndegradeError(f"the Hub needs {error.name}; install it with: pip install 'undegrade[hub]'.") from error

from undegrade.inference.torch_engine import TorchEngine  # noqa: E402 (without PyTorch the sentence above comes first)
from undegrade.model.vdir import VDIR as Networks  # noqa: E402


class VDIR(Networks, PyTorchModelHubMixin):  # type: ignore[misc]
    """:class:`undegrade.model.vdir.VDIR` with ``from_pretrained``, ``save_pretrained`` and ``push_to_hub``.

    Args:
        architecture: or what :meth:`Architecture.to_dict` gives.
        card: of the weights, or its fields; None for a model that has not been trained.

    Raises:
        UndegradeError: on construction, this version cannot build the architecture, or the card is none.
    """

    def __init__(self, architecture: Architecture | Mapping[str, Any], card: Card | Mapping[str, Any] | None = None):
        if not isinstance(architecture, Architecture):
            architecture = Architecture.from_dict(architecture)
        super().__init__(architecture)
        self.card = card if isinstance(card, Card | None) else _card(card)

    @classmethod
    def of(cls, weights: str | Path) -> VDIR:
        """A shipped model by its name, e.g. ``"gaussian-fast"``, or your own weights file with its card.

        Raises:
            UndegradeError: see :func:`undegrade.weights.card.load_weights`.
        """
        networks, card = load_weights(weights_file(weights))
        model = cls(networks.architecture, card)
        model.load_state_dict(networks.state_dict())
        return model.eval()

    def pipeline(self, device: str = "cpu") -> Pipeline:
        """A pipeline that restores with this model.

        Raises:
            UndegradeError: the model has no card that says its task, or the device cannot be used.
        """
        if self.card is None or self.card.task not in TASKS:
            raise UndegradeError("this model has no card of a known task; use its networks, or another model.")
        return Pipeline(TorchEngine(self, device), TASKS[self.card.task], self.card)

    @classmethod
    def _from_pretrained(cls, *, strict: bool = True, **arguments: Any) -> VDIR:
        """Every tensor must be there and fit, unless ``strict`` is False."""
        if "architecture" not in arguments:
            raise UndegradeError(
                f"{arguments['model_id']} has no architecture in its config.json; it is not of undegrade."
            )
        try:
            model: VDIR = super()._from_pretrained(strict=strict, **arguments)
        except RuntimeError as error:  # tensors that are missing, unknown or of another shape
            raise UndegradeError(
                f"{arguments['model_id']}: the tensors do not match the architecture; download it again."
            ) from error
        return model

    @classmethod
    def _load_as_pickle(cls, model: Any, model_file: str, map_location: str, strict: bool) -> Any:
        raise UndegradeError("only models with model.safetensors are read: a pickle can run any program.")

    def generate_model_card(self, *args: Any, **kwargs: Any) -> ModelCard:
        """README.md of the repository: what the model is for and how it was trained."""
        data = ModelCardData(
            library_name="undegrade",
            pipeline_tag="image-to-image",
            license="apache-2.0" if self.card is not None and is_shipped(self.card) else "other",
            tags=["image-restoration", "denoising", "pytorch_model_hub_mixin", "model_hub_mixin"],
        )
        return ModelCard(f"---\n{data.to_yaml()}\n---\n\n{_page(self.card)}")


def _card(values: Mapping[str, Any]) -> Card:
    try:
        return Card.from_json(json.dumps(dict(values)))
    except (ValueError, TypeError) as error:
        raise UndegradeError(f"the model's card cannot be used: {error}; download it again.") from error


def _page(card: Card | None) -> str:
    if card is None:
        return "# VDIR\n\nNetworks of undegrade without a card.\n"
    summary = f"{TASKS[card.task].summary}\n\n" if card.task in TASKS else ""
    numbers = "".join(f"| {name} | {value} |\n" for name, value in card.measured.items())
    return (
        f"# undegrade {card.name}\n\n{summary}"
        "```python\nfrom undegrade.hub import VDIR  # pip install 'undegrade[hub]'\n\n"
        'restored = VDIR.from_pretrained("...").pipeline()(image).image\n```\n\n'
        f"- Licence of the weights: {licence(card)}\n- Licence of the training images: {card.licence}\n"
        f"- Training: {card.steps:,} steps, {card.minutes:.0f} minutes on {card.hardware}; at least "
        f"{card.pixels_seen:,} pixels seen\n- {card.notes or 'No notes.'}\n"
        + (f"\n| measured | value |\n|:--|--:|\n{numbers}" if numbers else "")
    )
