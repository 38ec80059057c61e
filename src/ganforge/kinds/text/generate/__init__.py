"""New texts like those that were given."""
