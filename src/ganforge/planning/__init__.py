"""What every plan does alike: how long, how fast, on which device, and how a model is stored."""
