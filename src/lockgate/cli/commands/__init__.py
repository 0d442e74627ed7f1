"""A module a command; each has ``command``, which ``lockgate.cli.main`` imports only when it is asked for."""
