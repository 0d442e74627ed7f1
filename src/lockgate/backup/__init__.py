"""Backups: made by pg_dump in a snapshot whose tables are hashed too, and proven by restoring them."""
