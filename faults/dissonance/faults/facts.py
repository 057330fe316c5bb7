"""The bank of claims: statements that anybody can check, each with a false twin, over several domains.

The true ones are definitions, dates and figures that reference works agree on; a false twin is of the
same kind and length. Written for this project, it stands in ``facts.json``.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files

from dissonance.harness.claims import Claim

__all__ = ["facts"]


@cache
def facts() -> tuple[Claim, ...]:
    """The claims, by domain (``topic``).

    >>> facts()[0].true
    'Light travels at 299,792 kilometres a second in a vacuum.'
    """
    return tuple(map(Claim.model_validate, json.loads((files(__package__) / "facts.json").read_text(encoding="utf-8"))))
