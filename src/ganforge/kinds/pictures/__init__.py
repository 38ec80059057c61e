"""Pictures: everything that knows what a picture is."""
