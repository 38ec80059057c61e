"""The verb `speak`: a text becomes speech of one voice."""
