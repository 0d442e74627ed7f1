"""The command line: thin over the library, and the only thing that prints."""
