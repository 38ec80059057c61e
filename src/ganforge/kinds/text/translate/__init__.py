"""The task `translate`: words of one language in another, from text of either that need not be translated."""
