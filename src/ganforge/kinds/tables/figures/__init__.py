"""Pictures of a table: real and generated rows over each other and side by side."""
