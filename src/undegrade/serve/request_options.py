"""What a client may ask for when a picture is restored, and the command line that does the same."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

from undegrade.errors import UndegradeError

SaveAs = Literal["same", "png"]
MAX_SAMPLES = 32


@dataclass(frozen=True)
class RequestOptions:
    """The options of one restoration; the defaults are those of ``undegrade restore``.

    Attributes:
        task: its name; None to choose by the picture.
        strength: see :class:`undegrade.inference.options.RestoreOptions`.
        sigma: replaces the estimated noise level, in 8-bit levels.
        quality: replaces the estimated JPEG quality. Not together with ``sigma``.
        samples: latents drawn, for the standard deviation; 0, or 2 to :data:`MAX_SAMPLES`.
        save_as: ``"same"`` keeps the file format; ``"png"`` writes PNG.
        strip_metadata: leave out place, camera and comments.
        uncertainty: also show how far off the pixels may be; of models whose intervals are known, at strength 1.

    Raises:
        UndegradeError: on construction, if a value is out of range.
    """

    task: str | None = None
    strength: float = 1.0
    sigma: float | None = None
    quality: float | None = None
    samples: int = 0
    save_as: SaveAs = "same"
    strip_metadata: bool = False
    uncertainty: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.strength <= 4:
            raise UndegradeError(f"a strength of {self.strength:g} is out of range; give 0 to 4.")
        if self.sigma is not None and not 0 <= self.sigma <= 255:
            raise UndegradeError(f"a noise level of {self.sigma:g} is out of range; give 0 to 255.")
        if self.quality is not None and not 1 <= self.quality <= 100:
            raise UndegradeError(f"a JPEG quality of {self.quality:g} is out of range; give 1 to 100.")
        if self.sigma is not None and self.quality is not None:
            raise UndegradeError("sigma and quality exclude each other; give one.")
        if self.samples != 0 and not 2 <= self.samples <= MAX_SAMPLES:
            raise UndegradeError(f"{self.samples} samples are out of range; give 0, or 2 to {MAX_SAMPLES}.")
        if self.save_as not in get_args(SaveAs):
            raise UndegradeError(f"{self.save_as!r} is not a way to save; give one of: {', '.join(get_args(SaveAs))}.")

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """From JSON values by name.

        Raises:
            UndegradeError: an unknown name, a value of another type, or out of range.
        """
        kinds: dict[str, tuple[type, ...]] = {
            "task": (str, type(None)),
            "strength": (int, float),
            "sigma": (int, float, type(None)),
            "quality": (int, float, type(None)),
            "samples": (int,),
            "save_as": (str,),
            "strip_metadata": (bool,),
            "uncertainty": (bool,),
        }
        for name, value in values.items():
            if name not in kinds:
                raise UndegradeError(f"there is no option {name!r}; use {', '.join(kinds)}.")
            if not isinstance(value, kinds[name]) or (isinstance(value, bool) and bool not in kinds[name]):
                raise UndegradeError(f"the option {name} cannot be {value!r}; see the page of the API.")
        return cls(**values)

    @property
    def replaced(self) -> str | None:
        """Which of ``sigma`` and ``quality`` is given."""
        return next((name for name in ("sigma", "quality") if getattr(self, name) is not None), None)

    def command(self, name: str) -> str:
        """The command line that restores a file of this name alike, for a POSIX shell."""
        words = ["undegrade", "restore", f"./{name}" if name.startswith("-") else name, "-o", "restored"]
        if self.save_as == "png":
            words += ["--name", "{stem}.png"]
        if self.task is not None:
            words += ["--task", self.task]
        for option in ("strength", "sigma", "quality", "samples"):
            value = getattr(self, option)
            if value != getattr(RequestOptions(), option):
                words += [f"--{option}", f"{value:g}"]
        if self.uncertainty:
            words.append("--uncertainty")
        if self.strip_metadata:
            words.append("--strip-metadata")
        return shlex.join(words)
