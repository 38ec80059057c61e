"""The task `translate`: translation of pictures of one kind to another."""
