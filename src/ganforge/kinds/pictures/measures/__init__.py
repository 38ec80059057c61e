"""Measures of pictures that need no download: distances, neighbours, copies, labels; and verdicts."""
