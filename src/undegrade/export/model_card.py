"""What darktable asks of a model, in words: the fields that it shows, and the page that its collection asks for.

The headings and the rows of the table are those of the repository darktable-org/darktable-ai (its README.md, "Model
card"). What is not known, or does not meet its criteria, is stated too.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata

from undegrade.model.architecture import Architecture
from undegrade.model.restorers import RESTORERS
from undegrade.tasks import Task
from undegrade.weights.card import Card
from undegrade.weights.licence import LICENCE, licence

LIMITS = (
    "The degradations of the training images were made by program: others are not removed, or not well. What "
    "the licences of the training images allow is for their owners to say."
)
PAPER = 'J. W. Soh and N. I. Cho, "Variational Deep Image Restoration", IEEE Transactions on Image Processing, 2022'


def source() -> str:
    """Where the project is: its address, if the installed package knows one, else its name."""
    try:
        links = metadata.metadata("undegrade").get_all("Project-URL") or []
    except metadata.PackageNotFoundError:
        links = []
    known = dict(link.split(", ", 1) for link in links)
    return known.get("Repository") or known.get("Homepage") or "the Python package undegrade, with its sources"


def training_data(card: Card) -> str:
    """What a model was trained on."""
    images = f"{card.data['images']} photographs" if "images" in card.data else "photographs"
    size = f" of {card.data['megapixels']:g} megapixels" if "megapixels" in card.data else ""
    return f"{images}{size}, degraded by program while training"


def summary(tasks: Sequence[Task]) -> str:
    """What the models of a package are for."""
    return " ".join(task.summary for task in tasks)


def fields(cards: Sequence[Card], tasks: Sequence[Task]) -> dict[str, str]:
    """``model_card`` of config.json: every field that darktable shows.

    Args:
        cards, tasks: of the models in the package.
    """
    return {
        "long_description": f"{summary(tasks)} It sees the picture and nothing else: the strength of the degradation "
        "is estimated from it.",
        "scope": "single-image super-resolution" if tasks[0].degradation.scale > 1 else "single-image restoration",
        "author": f"the contributors of undegrade, after {PAPER}",
        "source": source(),
        "paper": PAPER,
        "license": "; ".join(dict.fromkeys(map(licence, cards))),
        "training_data": training_data(cards[0]),
        "training_data_license": "; ".join(dict.fromkeys(card.licence for card in cards)),
        "notes": " ".join((LIMITS, *(card.notes for card in cards if card.notes))),
    }


def page(
    name: str,
    cards: Sequence[Card],
    architectures: Sequence[Architecture],
    tasks: Sequence[Task],
    files: Sequence[str],
    side: int,
    remarks: Sequence[str] = (),
) -> str:
    """The README.md of a model in darktable's collection.

    Args:
        name: its title.
        cards, architectures, tasks, files: of each ONNX file in the package.
        side: of the tiles.
        remarks: further sentences for the notes.
    """
    said = fields(cards, tasks)
    inputs = [f"`input`, float32 [1, {a.channels}, {side}, {side}]" for a in architectures]
    outputs = [f"`output`, float32 [1, {a.channels}, {side * a.scale}, {side * a.scale}]" for a in architectures]
    models = _table(
        ("Property", *files),
        ("Input", *inputs),
        ("Output", *outputs),
        ("Resolution", *(f"static, {side} x {side}" for _ in files)),
        ("Normalize", *("[0, 1], sRGB, planar RGB" for _ in files)),
        ("Tiling", *("yes" for _ in files)),
        ("Precision", *("float32" for _ in files)),
        ("Weights, sha256", *(f"`{card.sha256}`" for card in cards)),
    )
    criteria = _table(
        ("Property", "Value"),
        ("Model license", said["license"]),
        ("OSAID v1.0", "Open Weights"),
        ("MOF", "Class III (Open Model)"),
        ("Training data license", said["training_data_license"]),
        ("Training data provenance", f"{said['training_data']}; the sets are named with their licences above"),
        ("Training code", f"{LICENCE}, {said['source']}: `undegrade train`"),
        ("Known limitations", said["notes"]),
        ("Published research", said["paper"]),
        ("Inference", "Local only, no cloud dependencies"),
        ("Scope", said["scope"]),
        ("Reproducibility", f"`undegrade export {' '.join(c.task for c in cards)} --darktable FILE.dtmodel`"),
    )
    trained = "\n".join(
        f"- {card.name}: {card.steps:,} steps, {card.minutes:.0f} minutes in its last training, on {card.hardware}; "
        f"{card.pixels_seen / 1e9:.1f} billion pixels seen or more"
        for card in cards
    )
    notes = "\n".join((*(f"- {remark}" for remark in remarks), trained))
    restorer = RESTORERS[architectures[0].restorer].summary
    return (
        f"# {name}\n\n{summary(tasks)}\n\n"
        f"## Source\n\n- Repository: {said['source']}\n- Paper: {said['paper']}\n- License: {said['license']}\n\n"
        "## Architecture\n\nAn encoder of five convolutions and two heads infers a latent of four numbers for\n"
        f"every 4 x 4 pixels (VDIR), and a restorer takes the picture and the latent. The restorer: {restorer}.\n\n"
        f"## ONNX Models\n\n{models}\n"
        "## Notes\n\n- The output is not clipped to [0, 1].\n- The picture is all that the model is given: no noise "
        f"level, no camera.\n{notes}\n\n"
        f"## Selection Criteria\n\n{criteria}"
    )


def _table(head: Sequence[str], *rows: Sequence[str]) -> str:
    lines = [f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in (head, *rows)]
    lines.insert(1, "|" + " --- |" * len(head))
    return "\n".join(lines) + "\n"
