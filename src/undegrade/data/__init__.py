"""Images to train on and to measure on: the benchmark sets, SIDD and DND, folders of clean photographs, batches.

Only reading and cutting; what degrades the images is in ``undegrade.degrade``.
"""
