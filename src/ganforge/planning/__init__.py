"""The common parts of all plans: length, rate and device of a run, drafts of recipes, the adversarial game."""
