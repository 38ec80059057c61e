"""The task `generate`: pictures like the ones given."""
