"""Hazards: what statements would do to a live database, told by their text, its catalog, and its rows."""
