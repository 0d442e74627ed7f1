"""Constraints that are added beside writers."""
