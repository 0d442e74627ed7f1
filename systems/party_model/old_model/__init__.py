"""How the service writes the old model: a part of its releases until the cutover."""
