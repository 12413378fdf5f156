"""The networks of VDIR (paper Fig. 3) and what shapes their latent: tensors in, tensors out.

They know nothing of tasks, files or training. ``architecture``, ``restorers``, ``latent`` and ``latent_noise`` say what
they are without PyTorch; the other modules need it.
"""
