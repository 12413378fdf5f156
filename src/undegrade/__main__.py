"""``python -m undegrade``, and the command ``undegrade``."""

from __future__ import annotations


def start() -> int:
    """Run the command line, also where Ctrl-C comes before it is imported."""
    try:
        from undegrade.cli import interrupts, main
    except KeyboardInterrupt:
        import sys

        print("\ninterrupted", file=sys.stderr)
        return 130
    interrupts.ignore_at_end()
    return main()


if __name__ == "__main__":
    raise SystemExit(start())
