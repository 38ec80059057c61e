"""Rules and conditions: what every generated row meets."""
