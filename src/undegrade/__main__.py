"""``python -m undegrade``."""

from undegrade.cli import main

raise SystemExit(main())
