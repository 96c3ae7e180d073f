"""Paying a checkout session: one state machine, driven by the page, by the control page and by tests."""
