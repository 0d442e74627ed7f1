"""Handing a database over from its old model to the new one, and back."""
