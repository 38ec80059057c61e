"""Two tables with a key: the rows of one, and those of the other that belong to each of them."""
