"""Putting tables aside, read-only, and back."""
