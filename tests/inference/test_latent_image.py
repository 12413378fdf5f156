"""The latent of a whole image is that of its tiles, wherever it is cut again."""

import numpy as np

from undegrade.inference.engine import Posterior
from undegrade.inference.latent_image import LatentImage, latent_span
from undegrade.inference.tiles import tiles


def test_what_was_gathered_tile_by_tile_is_cut_out_by_any_window() -> None:
    h, w = 330, 1190
    x = np.empty((h, w, 3), np.uint8)
    whole = Posterior(*np.random.default_rng(0).random((2, 1, 4, -(-h // 4), -(-w // 4)), np.float32))
    kept = LatentImage(x, spread=True)
    for tile in tiles(h, w, 304, 32, 4):
        rows, columns = (slice(*span) for span in latent_span(tile))
        kept.add_tile(Posterior(*(part[:, :, rows, columns] for part in whole)), tile)
    for tile in tiles(h, w, 512, 96, 4):
        rows, columns = (slice(*span) for span in latent_span(tile))
        found = kept.within(tile)
        assert found.mean.shape[2:] == (
            -(-(tile.rows.high - tile.rows.low) // 4),
            -(-(tile.columns.high - tile.columns.low) // 4),
        )
        np.testing.assert_array_equal(found.mean, whole.mean[:, :, rows, columns])
        np.testing.assert_array_equal(found.logvar, whole.logvar[:, :, rows, columns])


def test_without_spread_every_sample_is_the_mean() -> None:
    kept = LatentImage(np.empty((8, 12, 3), np.uint8), spread=False)
    (tile,) = tiles(8, 12, 16, 0, 4)
    kept.add_tile(Posterior(np.ones((1, 4, 2, 3), np.float32), np.zeros((1, 4, 2, 3), np.float32)), tile)
    found = kept.within(tile)
    np.testing.assert_array_equal(found.at(np.ones_like(found.mean)), found.mean)
