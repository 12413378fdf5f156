"""The shipped weights, half-precision safetensors, each with a card that says what it is and where it came from.

``card`` reads and writes both; nothing is ever downloaded.
"""
