"""Messages to addresses that customers name: what may be spoken to, and one request. No ORM, no Django, no settings."""
