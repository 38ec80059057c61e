"""The task `enhance`: damage taken back."""
