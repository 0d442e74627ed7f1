"""Copying tables of another database into this one, and again what differs, until nothing does."""
