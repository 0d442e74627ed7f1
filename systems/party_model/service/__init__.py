"""The lead service: what is deployed."""
