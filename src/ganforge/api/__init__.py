"""The verbs. `ganforge` hands them out: ganforge/__init__.py says which module has which."""
