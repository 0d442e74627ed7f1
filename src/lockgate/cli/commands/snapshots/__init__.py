"""The commands below ``lockgate snapshot``."""
