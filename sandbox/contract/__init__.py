"""The part of Stripe's API that we speak, as a contract derived from the installed SDK, and checks against it."""
