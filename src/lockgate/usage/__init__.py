"""Whether tables are still used, by what the server counts."""
