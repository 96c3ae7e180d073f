"""What becomes of facts that Stripe tells."""

from enum import StrEnum


class Convergence(StrEnum):
    """What became of a set of facts."""

    CONVERGED = "converged"
    UNKNOWN = "unknown"  # nothing of ours is meant (yet)
    CONTRADICTED = "contradicted"  # they name something of ours that belongs to other objects of Stripe's
