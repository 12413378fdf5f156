"""What one client, one picture and one service may use."""

from __future__ import annotations

from dataclasses import dataclass

from undegrade.errors import UndegradeError


@dataclass(frozen=True)
class Limits:
    """The limits of a service.

    Attributes:
        bytes: of one uploaded file.
        pixels: of one picture, by its header, before it is decoded.
        pictures: on one page at a time.
        queue: jobs that wait at most; a further one is refused with status 429.
        seconds: of work on one job; then the worker is ended.
        memory: bytes that the worker may hold, on Linux.
        idle: seconds after which the files of a page that is closed are deleted.
        patience: seconds for which a client that sends may be silent.
        rate: bytes per second that a client must send on average.

    Raises:
        UndegradeError: on construction, if one of them is not above 0.
    """

    bytes: int = 200_000_000
    pixels: int = 100_000_000
    pictures: int = 200
    queue: int = 16
    seconds: float = 900.0
    memory: int = 6_000_000_000
    idle: float = 600.0
    patience: float = 20.0
    rate: float = 20_000.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 < value < float("inf"):
                raise UndegradeError(f"the limit {name} is {value:g}; give a number above 0.")
