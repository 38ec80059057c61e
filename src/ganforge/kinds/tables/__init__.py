"""Tables: files and frames <-> columns of plain numbers and texts."""
