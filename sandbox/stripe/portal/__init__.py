"""The customer portal: its configurations and sessions over the API, and what customers do on its page."""
