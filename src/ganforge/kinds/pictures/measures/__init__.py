"""Whether pictures are any good, by measures that need no download: distances, neighbours, copies, labels; verdicts."""
