"""What customers may do in Stripe's portal, as we have set it up there."""

from django.db import models


class PortalConfiguration(models.Model):
    """A configuration of the portal at Stripe, of one of two kinds: in one plans can be changed, in the other not.

    The newest of its kind is used; an older one serves sessions that are open.
    """

    configuration_id = models.CharField(max_length=255, unique=True)
    sells = models.BooleanField(
        default=True, help_text="Whether plans can be changed in it; if not, it is for whom nothing is sold to."
    )
    digest = models.CharField(max_length=64, help_text="Of the plans that it offers and where it leads back to.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = "portal configuration"

    def __str__(self) -> str:
        return self.configuration_id
