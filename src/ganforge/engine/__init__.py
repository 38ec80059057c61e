"""The loop that trains every game (fit.py), and what it rests on: turns, clock, journal, steering, checkpoints."""
