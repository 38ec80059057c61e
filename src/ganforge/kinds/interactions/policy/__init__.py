"""The task `policy`: which item to show to whom, so that it is liked more, without leaving what the log can judge."""
