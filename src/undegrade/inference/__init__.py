"""Runs a trained model on arrays of any size: exact tiles, strength, samples, estimates.

Only the engines (``engine``, ``compiled_engine``, ``onnx_engine``, ``torch_engine``) depend on the device and on the
precision.
"""
