"""The command line: what a person types, and what they read back. Only this layer prints."""

from ganforge.cli.main import main

__all__ = ["main"]
