"""Running another tool's migrations: its files, under our lease and its lock, with its history kept right."""
