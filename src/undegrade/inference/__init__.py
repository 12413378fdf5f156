"""Runs a trained model on arrays of any size: exact tiles, strength, samples, estimates.

Only ``engine`` depends on the device and on the precision.
"""
