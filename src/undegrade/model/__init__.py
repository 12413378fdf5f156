"""The networks of VDIR (paper Fig. 3) and what shapes their latent: tensors in, tensors out.

They know nothing of tasks, files or training.
"""

from undegrade.model.autoencoder import LATENT_CHANNELS, LATENT_STRIDE, Decoder, Encoder, Estimator
from undegrade.model.discriminator import Discriminator
from undegrade.model.fast_restorer import FastRestorer
from undegrade.model.ffdnet import FFDNet
from undegrade.model.posterior import Posterior
from undegrade.model.restorer import Restorer
from undegrade.model.wide_restorer import WideRestorer

__all__ = [
    "LATENT_CHANNELS",
    "LATENT_STRIDE",
    "Decoder",
    "Discriminator",
    "Encoder",
    "Estimator",
    "FFDNet",
    "FastRestorer",
    "Posterior",
    "Restorer",
    "WideRestorer",
]
