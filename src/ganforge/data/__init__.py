"""Data kinds: files <-> tensors. One folder or file for each: images, tables."""
