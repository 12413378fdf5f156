"""The networks: tensors in, tensors out. They know nothing of tasks, files or training."""

from undegrade.nets.autoencoder import LATENT_CHANNELS, LATENT_STRIDE, Decoder, Encoder, Estimator
from undegrade.nets.discriminator import Discriminator
from undegrade.nets.fast import FastRestorer
from undegrade.nets.ffdnet import FFDNet
from undegrade.nets.posterior import Posterior
from undegrade.nets.restorer import Restorer

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
]
