"""Pictures of what the analysis found. Nothing is calculated here; matplotlib is imported by the functions."""
