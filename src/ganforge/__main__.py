"""Entry point of `python -m ganforge`."""

from ganforge.cli import main

raise SystemExit(main())
