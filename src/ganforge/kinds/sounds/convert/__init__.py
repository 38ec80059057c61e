"""The verb `convert`: what one voice says, in the voice of another."""
