"""Columns <-> codes: what the networks see."""
