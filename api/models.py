"""API tokens, the one thing that the API keeps in SQL."""

from django.conf import settings
from django.db import models
from django.db.models import Q


class Token(models.Model):
    """A program's way in: bound to a user, whose role it has, or to one provider, whose agent uses it.

    Only the SHA-256 of a token is kept. It is random, 256 bits of it, so a slow hash would protect nothing.
    """

    name = models.CharField(max_length=255, blank=True)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, blank=True, related_name="api_tokens"
    )
    provider_id = models.UUIDField(null=True, blank=True, db_index=True)
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True, blank=True, help_text="To a few minutes.")
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(user__isnull=False, provider_id__isnull=True)
                | Q(user__isnull=True, provider_id__isnull=False),
                name="token_of_a_user_or_of_a_provider",
            ),
            models.UniqueConstraint(
                fields=["provider_id"], condition=Q(revoked_at__isnull=True), name="one_valid_token_of_a_provider"
            ),
        ]
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.name or f"token {self.pk}"
