"""The task `regress`: a numeric column from the others."""
