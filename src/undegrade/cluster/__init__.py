"""Picture files in folders and object stores, restored on many machines by Ray.

:mod:`undegrade.files.workers` is enough for one machine, and shards for a few. This package is for more: addresses such
as ``s3://bucket/photos`` (fsspec), folders that are listed while the work goes on, workers that come and go. What a
worker does with one file is :func:`undegrade.files.restore_file.restore_file`, between a fetch and a put.
"""
