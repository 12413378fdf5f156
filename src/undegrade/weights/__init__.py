"""The shipped weights: half-precision safetensors files, each with a card that describes model and training.

``card`` reads and writes both, ``int8`` the int8 form of a model. Nothing is downloaded.
"""
