"""Analyses the latent (paper section VIII-A, Figs. 5 to 8) as numbers and figures, for the weights of any task.

One module per experiment; only ``figures`` needs matplotlib. ``pip install 'undegrade[analyse]'`` installs it with
scikit-learn, which ``embedding`` and ``sources`` need.
"""
