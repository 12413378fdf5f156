"""The paper's tables: our numbers under its protocol, the published ones beside them, and the page that shows both.

Nothing here restores a user's file.
"""
