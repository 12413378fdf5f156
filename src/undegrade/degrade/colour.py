"""Luma of RGB, where several kinds of degradation and the files agree on it."""

BT601 = (0.299, 0.587, 0.114)
"""Full-range luma of R, G and B (ITU-R BT.601), as JPEG files define it."""
