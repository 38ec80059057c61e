"""The task `translate`: pictures of one kind into pictures of another."""
