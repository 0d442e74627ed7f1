"""Bringing the values of a table into their normal form, beside its writers."""
