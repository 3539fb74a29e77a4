"""What a person keeps of how he looks at the pool."""

from typing import ClassVar

from django.conf import settings
from django.db import models


class SavedView(models.Model):
    """A listing under a name: the part of its address behind the question mark, in its one canonical form."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="views")
    name = models.CharField(max_length=80)
    query = models.TextField(blank=True)
    saved_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "name"], name="view_name_once_per_user"),
        ]

    def __str__(self) -> str:
        return self.name
