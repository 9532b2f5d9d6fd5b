"""Whoever rotates an agent's token can be sure that no other is left, also when two do so at once."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("api", "0002_roles")]

    operations = [
        migrations.AddConstraint(
            model_name="token",
            constraint=models.UniqueConstraint(
                fields=["provider_id"], condition=Q(revoked_at__isnull=True), name="one_valid_token_of_a_provider"
            ),
        ),
    ]
