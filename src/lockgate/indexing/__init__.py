"""Indexes, built beside writers."""
