"""The verb `invert`: the latent of a given picture, and edits along named directions."""
