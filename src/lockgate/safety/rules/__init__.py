"""The rules, a module for each family. Each module ends with ``RULES``."""
