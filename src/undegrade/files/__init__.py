"""Restores picture files: plans the outputs, selects the task, and uses the quantisation tables of JPEG files.

An error in one file does not stop the others, no file is half written, and no input is overwritten.
"""
