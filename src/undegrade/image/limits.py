"""How much beside its pixels a file may make us hold."""

from __future__ import annotations

from undegrade.image.picture import Refusal

MAX_ALL_METADATA = 2**26
"""Most bytes that all metadata of a file take together. Decoders hold what they find: files with more are refused."""


def check_metadata(size: int) -> None:
    """Refuse a file that has so many bytes of metadata.

    Raises:
        Refusal: they are more than :data:`MAX_ALL_METADATA`.
    """
    if size > MAX_ALL_METADATA:
        raise Refusal(f"has more than {MAX_ALL_METADATA >> 20} MB of metadata", "save it without them")
