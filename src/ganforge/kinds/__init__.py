"""Kinds of data, one folder each. A kind never imports another one."""
