"""Pictures of what the analysis found, one module per kind of figure.

Nothing is calculated here. matplotlib is imported by the functions that draw.
"""
