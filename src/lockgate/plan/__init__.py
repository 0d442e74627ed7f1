"""The plan document: models, loading, JSON Schema, reference and lock file."""
