"""Credit notes: how much of an invoice may still be credited, what a note looks like, and what it does."""
