"""Interactions of users with items: the entry point of this kind of data."""
