"""The loop that trains every game (fit.py) and its parts: turns, clock, journal, control, checkpoints."""
