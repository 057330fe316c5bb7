"""Durable state of the patterns: SQLite by default, PostgreSQL by URL.

>>> from dissonance.patterns.store import Store
>>> with Store("sqlite://") as store:  # in memory; Store() keeps a file
...     store.save("invoice-17", "extract", {"total": 120}).value
{'total': 120}

It is no part of ``import dissonance.patterns``, since it loads SQLAlchemy.
"""

from .database import SCHEMA, StoreError
from .rows import Ask, Checkpoint, Effect, OpenRun, Submitted
from .store import Store

__all__ = ["SCHEMA", "Ask", "Checkpoint", "Effect", "OpenRun", "Store", "StoreError", "Submitted"]
