"""One function for each verb, in the module of its name; `ganforge` hands them out: see ganforge/__init__.py."""
