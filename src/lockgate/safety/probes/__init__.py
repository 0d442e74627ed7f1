"""Questions about the rows of a database: read-only, time-boxed, one query each."""
