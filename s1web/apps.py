"""What the project does as Django starts and after it made tables."""

from typing import Any

from django.apps import AppConfig, apps
from django.db.models.signals import post_migrate


class S1WebConfig(AppConfig):
    name = "s1web"

    def ready(self) -> None:
        from s1web import checks  # noqa: F401

        post_migrate.connect(_make_role_groups, sender=apps.get_app_config("auth"))


def _make_role_groups(using: str, apps: Any, **_: Any) -> None:
    """Each role is a group from the start; running again changes nothing."""
    from s1web.roles import Role

    try:
        group = apps.get_model("auth", "Group")
    except LookupError:  # the tables of auth were just taken away
        return
    for role in Role:
        group.objects.using(using).get_or_create(name=role.value)
