"""The commands below ``lockgate archive``."""
