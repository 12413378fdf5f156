"""``python -m vdir``."""

from vdir.cli import main

raise SystemExit(main())
