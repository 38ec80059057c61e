"""The verb `restyle`: lines of text in another style."""
