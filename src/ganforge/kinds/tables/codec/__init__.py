"""Columns <-> codes: the input of the networks."""
