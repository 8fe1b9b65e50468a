"""Sending: the server, its connections, what it answers, and the mails themselves."""
