"""Draws the figures of the analysis. The functions import matplotlib when they are called.

Results are only drawn here; the other modules of ``analysis`` compute them.
"""
