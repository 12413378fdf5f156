"""A trained model at work on arrays of any size: exact tiles, strength, samples, estimates.

The engine is the only place that knows where and how precisely the networks run.
"""
