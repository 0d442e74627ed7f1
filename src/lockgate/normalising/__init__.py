"""Normal forms of values: pure functions, each gives the normal form or why there is none, and never guesses."""
