"""ganforge: train a generative adversarial network on your own data, and be told whether it is any good."""

__version__ = "0.1.0"
