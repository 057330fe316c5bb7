"""What every part of a plan has in common: frozen, strict about types, and shown as the Python that makes it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Ordinal", "Seconds", "Spec"]

Ordinal: TypeAlias = Annotated[int, Field(ge=1)]
"""A position counted from 1."""

Seconds: TypeAlias = Annotated[float, Field(gt=0)]
"""A stretch of virtual time: positive and finite."""


class Spec(BaseModel):
    """A frozen model that takes no unknown field, no ``"3"`` for ``3``, and no infinity.

    Its ``repr`` leaves out what has its default, so it can be pasted into a test.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if value != field.get_default(call_default_factory=True, validated_data={}):
                yield name, value

    def __str__(self) -> str:
        return repr(self)
