"""The local page and its service: see a picture, steer its restoration, and believe it or not.

The server (``app``, ``desks``, ``guard``, ``pool``) never opens a picture: one worker process (``work``) does, and
another takes its place if it dies. ``docs/page.md`` says how to use it, and what is promised.
"""
