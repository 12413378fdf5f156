"""Picture files restored into picture files: what goes where, which task it needs, and what a JPEG's own header adds.

No exception of one file stops the others; nothing is half written, and no input is replaced.
"""
