"""Picture files in and out: PNG, JPEG, WebP, TIFF and AVIF, 8 to 16 bit, grey and colour, with all they say.

What a file says about itself is kept beside the pixels in a :class:`Picture`, so that writing it back changes the
pixels and nothing else. ``docs/files.md`` says for each kind of file what happens to it. Every file is taken for
hostile: its header is checked before anything is decoded, and whatever is wrong with it becomes one
:class:`undegrade.errors.UndegradeError`.

There is a module for each format (``png``, ``jpeg``, ``webp``, ``tiff``, ``avif``), with a ``header`` that tells what
is in a file without decoding it, and a ``save``. libvips decodes and encodes the pixels, rather than Pillow, which cuts
16-bit colour PNG to 8 bits without a word. Metadata goes around libvips, which drops and rewrites some of it.
"""

from undegrade.image.codec import read, write
from undegrade.image.picture import MAX_PIXELS, Coding, Format, Metadata, Picture, Pixels, check_fits

__all__ = ["MAX_PIXELS", "Coding", "Format", "Metadata", "Picture", "Pixels", "check_fits", "read", "write"]
