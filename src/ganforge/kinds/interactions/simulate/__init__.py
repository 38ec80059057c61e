"""The task `simulate`: users that do not exist, with their sequences in time, and what a user does next."""
