"""Objects made of tuples."""

from typing import Any

from rest_framework import serializers


class FromTuple(serializers.Serializer):
    """Reads a tuple, whose items are the fields in their order."""

    def to_representation(self, instance: Any) -> dict[str, Any]:
        return dict(super().to_representation(dict(zip(self.fields, instance, strict=True))))
