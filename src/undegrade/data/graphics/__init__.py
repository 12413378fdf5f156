"""Clean graphics made by program: pictures other than photographs, drawn from a seed.

Text, interfaces, charts, maps, line art, flat colours, gradients, screentones, dithers, sprites and shaded bodies. The
fonts are Pillow's own and, where matplotlib is installed, those that it brings; with other fonts a seed draws other
pictures.
"""

from undegrade.data.graphics.draw import KINDS, canvases, draw

__all__ = ["KINDS", "canvases", "draw"]
