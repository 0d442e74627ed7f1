"""Lockgate moves a live PostgreSQL database from one data model to the next, phase by phase."""

__version__ = "0.1.0"
