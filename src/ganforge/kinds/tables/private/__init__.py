"""Private tables: noisy counts of public cells, a tree over the columns, and rows that are drawn from it."""
