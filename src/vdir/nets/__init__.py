"""The networks: tensors in, tensors out. They know nothing of tasks, files or training."""

from vdir.nets.autoencoder import LATENT_CHANNELS, LATENT_STRIDE, Decoder, Encoder, Estimator
from vdir.nets.discriminator import Discriminator
from vdir.nets.fast import FastRestorer
from vdir.nets.ffdnet import FFDNet
from vdir.nets.posterior import Posterior
from vdir.nets.restorer import Restorer

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
