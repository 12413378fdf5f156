"""What the latent knows (paper section VIII-A): Figs. 5 to 8 as numbers and pictures, for any task's weights.

    health         KL per channel, active units, and what the restoration loses without its own latent
    manipulation   one image restored with latents of other images (Figs. 5, 6)
    embedding      the latents of patches at many levels of damage (Fig. 7)
    sources        the latents of photographs, camera noise and Gaussian noise (Fig. 8)
    steering       the latent moved along the direction in which the damage grows

What is calculated is plain functions of arrays in ``probe``, ``knn`` and ``measures``; what is drawn is in
``figures``, which alone needs matplotlib. scikit-learn does t-SNE, the classifier and the silhouette. Both come with
``pip install 'undegrade[analyse]'``.
"""
