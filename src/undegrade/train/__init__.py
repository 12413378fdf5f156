"""Training: one step of the paper's equations, the loop around it, its states on disk, and the weights that come out.

Needs torch, numpy, Pillow, safetensors and tqdm only, so that it runs on any machine.
"""
