"""When schedules fire and what they submit; nothing here knows a database."""
