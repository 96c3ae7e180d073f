"""Whether Stripe, or our stand-in, still does what we rely on.

account.py    asks, and checks each object against the contract
judging.py    what our parsing must read
steps.py, subscribing.py    the scenarios, one function each
running.py    runs them, cleans up, stores what was seen
"""
