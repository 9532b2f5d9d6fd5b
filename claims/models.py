"""Claims as an entry of the admin: rows of the table that all records share, written by claims/take and others."""

from providers.models import ProviderRecord


class ClaimRecord(ProviderRecord):
    """A claim (negative amounts), or the instance it became."""

    class Meta:
        app_label = "claims"
        managed = False
        verbose_name = "claim"
