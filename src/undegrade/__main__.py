"""``python -m undegrade``, and the command ``undegrade``."""

from __future__ import annotations


def start() -> int:
    """Run the command line, also where Ctrl-C comes before it is imported."""
    try:
        from undegrade.cli import interrupts, main
    except KeyboardInterrupt:
        import sys

        print("\ninterrupted", file=sys.stderr)
        return _end(130)
    interrupts.ignore_at_end()
    code = main()
    return _end(code) if code == interrupts.EXIT_CODE else code


def _end(code: int) -> int:
    """End an interrupted process with this code.

    Python would end it by the signal where the exception passed through code made from text, as that of a dataclass,
    although it was caught later.
    """
    import os
    import sys
    from contextlib import suppress

    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    raise SystemExit(start())
