"""Rules and conditions that every generated row meets."""
