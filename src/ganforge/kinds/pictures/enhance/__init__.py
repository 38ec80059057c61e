"""The task `enhance`: restoration of damaged pictures."""
