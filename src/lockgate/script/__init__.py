"""SQL that people wrote: its statements, what is known of each, and running it so that a kill leaves nothing open."""
