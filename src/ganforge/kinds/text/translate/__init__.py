"""The task `translate` of text."""
