"""The other migration tools: their folders and their histories, an adapter each behind one Protocol."""
