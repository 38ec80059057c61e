"""The task `dictionary`: words of one language in another, from texts that need not be translations."""
