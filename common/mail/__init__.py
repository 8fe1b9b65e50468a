"""Mails before any mail library sees them: what may stand in an address or header, and what templates need."""
