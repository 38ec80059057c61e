"""Items that nobody has met: who would like them, and what items would please a group."""
