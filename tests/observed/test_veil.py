"""Behind the veil, two values are the same where only altered texts differ."""

from __future__ import annotations

from typing import Any

import pytest

from dissonance.harness.veil import Veil

TEXT = [{"type": "text", "text": "Transfer."}]
TOOL = [{"type": "tool_use", "id": "t", "name": "transfer", "input": {"to": "billing"}}]


@pytest.mark.parametrize(
    ("before", "after", "mine", "usual", "same"),
    [
        pytest.param("yes", "no", "They say no.", "They say yes.", True, id="plain strings"),
        pytest.param("yes", "no", {"says": ["no"]}, {"says": ["yes"]}, True, id="nested"),
        pytest.param("yes", "no", {"said": "no"}, {"says": "yes"}, False, id="other keys"),
        pytest.param("yes", "no", "no", ["yes"], False, id="other types"),
        pytest.param("yes", "no", ["no", "no"], ["yes"], False, id="other lengths"),
        pytest.param("yes", "no", 1, 2, False, id="numbers"),
        pytest.param("12 and 5", "12", "Sum: 12", "Sum: 12 and 5", True, id="the longer text first"),
        pytest.param("a whole answer", "a whole answer", "He: a whole", "He: a whole answer", True, id="cut"),
        pytest.param(TEXT, TOOL, TOOL, TEXT, True, id="another kind of block"),
        pytest.param(TEXT, TOOL, "It said: billing", "It said: Transfer.", True, id="its text"),
        pytest.param(TEXT, TOOL, [*TOOL, *TOOL], TEXT, False, id="the block twice"),
        pytest.param(TOOL, None, "x", "y", False, id="no content"),
    ],
)
def test_the_veil_hides_altered_texts_alone(before: Any, after: Any, mine: Any, usual: Any, same: bool) -> None:
    assert Veil([(before, after)]).same(mine, usual) is same
