"""The verbs, exported by `ganforge`: ganforge/__init__.py lists the module of each."""
