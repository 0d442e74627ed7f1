"""Looking at SQL without a database: files, histories of other tools, and plans."""
