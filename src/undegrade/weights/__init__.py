"""The shipped weights: half-precision safetensors files, each with a card that describes model and training.

``card`` reads and writes both. Nothing is downloaded.
"""
