"""The verb `generate`: new sounds like those of the data."""
