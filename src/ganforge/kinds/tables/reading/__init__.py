"""Files and frames <-> columns of plain numbers and texts."""
