"""The task `recommend`: which items a user would like next, and which of them to show so that more items are met."""
