"""Is a generated table any good? Columns, pairs, what models learn from it, whether it can be told, and copies."""
