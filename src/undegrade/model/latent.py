"""The latent's size (paper section IV-E)."""

LATENT_CHANNELS = 4
LATENT_STRIDE = 4
"""Image pixels per latent element, along each side."""
