"""The task `generate` of tables: new rows like the given ones."""
