"""The three roles, as groups."""

from django.db import migrations

ROLES = ("viewer", "operator", "admin")


def make_roles(apps, schema_editor):
    groups = apps.get_model("auth", "Group").objects
    for role in ROLES:
        groups.get_or_create(name=role)


class Migration(migrations.Migration):
    dependencies = [
        ("api", "0001_initial"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [
        # Not undone: people may have been put into them, or the groups been there before.
        migrations.RunPython(make_roles, migrations.RunPython.noop),
    ]
