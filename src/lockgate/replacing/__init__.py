"""A table takes the place of another one: made like it, under a name of its own, and given its name in the end."""
