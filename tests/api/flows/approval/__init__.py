"""A second flow: it is a folder, and nothing else knows of it."""
