"""The command line: its commands and their output. Only this layer prints."""

from ganforge.cli.main import main

__all__ = ["main"]
