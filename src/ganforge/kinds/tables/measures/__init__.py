"""The quality of a generated table: columns, pairs, utility for models, detection, and copies."""
