"""The local page and its service: before and after, what was found, strength and uncertainty.

The server (``app``, ``desks``, ``guard``, ``pool``) never opens a picture: one worker process (``work``) does, and
another takes its place if it dies. ``docs/page.md`` says how to use it, and what is promised.
"""
