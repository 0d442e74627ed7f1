"""The commands below ``lockgate history``."""
