"""Running a whole plan on a copy of the database, and saying what it did there."""
