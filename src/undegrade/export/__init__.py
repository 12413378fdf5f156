"""Models as files that other programs run: one ONNX graph, and packages of darktable's neural restore.

graph         encoder, restorer and estimator as one ONNX graph
builder       nodes and constants of a graph, and other graphs within it
check         a graph in ONNX Runtime beside the pipeline
darktable     the package of darktable
model_card    what darktable asks of a model, in words
"""
