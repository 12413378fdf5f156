"""Measures models under the paper's protocol and compares the numbers with the published ones.

``results`` writes the page with both. Users' files are not restored here.
"""
