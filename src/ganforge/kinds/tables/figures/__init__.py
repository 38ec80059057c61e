"""Pictures of a table: real and generated rows overlaid and side by side."""
