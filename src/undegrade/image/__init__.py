"""Reads and writes picture files: PNG, JPEG, WebP, TIFF and AVIF, 8 to 16 bit, grey and colour, with their metadata.
BMP, GIF and PPM are read.

A :class:`Picture` holds the pixels and the metadata; ``docs/files.md`` lists what is kept for each kind of file. One
module per format has ``header``, which checks a file before it is decoded, and ``save``; libvips decodes and encodes.
"""

# Why libvips: Pillow reduces 16-bit colour PNG to 8 bits without an error. Metadata does not go through libvips, which
# drops and rewrites some of it. Files are not trusted: each problem becomes one UndegradeError.
from undegrade.image.codec import copy, read, write
from undegrade.image.picture import MAX_PIXELS, Coding, Format, Metadata, Picture, Pixels, check_fits

__all__ = ["MAX_PIXELS", "Coding", "Format", "Metadata", "Picture", "Pixels", "check_fits", "copy", "read", "write"]
