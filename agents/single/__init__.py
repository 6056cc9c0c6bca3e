"""All of it in one process beside one server, with one SQLite file for a memory."""
