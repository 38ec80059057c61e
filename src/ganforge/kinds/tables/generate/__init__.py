"""The task `generate` of tables: rows like the ones given."""
