"""The `letuin` command. One file a command; `main.py` knows them all and imports only the one that was asked for."""
