"""TARGET: what it may look like, and how each way of being wrong is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from dissonance.cli.target import load_target, read_target
from dissonance.harness.errors import BadInput


def error_of(text: str) -> str:
    with pytest.raises(BadInput) as error:
        load_target(read_target(text))
    return str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "review.py",
            "TARGET 'review.py' names no callable: give module:callable or path/to/file.py:callable, such as review.py:main",
        ),
        (
            "review:",
            "TARGET 'review:' names no callable: give module:callable or path/to/file.py:callable, such as review:main",
        ),
        (":", "TARGET ':' names no callable: give module:callable or path/to/file.py:callable, such as flow.py:main"),
        ("review:a b", "TARGET 'review:a b' names no callable: give module:callable or path/to/file.py:callable"),
        (
            "re view:main",
            "TARGET 're view:main': 're view' is no module's name: give module:callable or path/to/file.py:callable",
        ),
        ("reviev.py:main", "TARGET 'reviev.py:main': the file 'reviev.py' does not exist; did you mean 'review.py'?"),
        (
            "flows/review.py:main",
            "TARGET 'flows/review.py:main': the folder 'flows' does not exist; give the path of a Python file",
        ),
    ],
)
def test_a_text_that_names_nothing(text: str, message: str) -> None:
    with pytest.raises(BadInput) as error:
        read_target(text)
    assert str(error.value) == message


def test_a_folder_is_no_file(folder: Path) -> None:
    (folder / "flow.py").mkdir()
    with pytest.raises(BadInput, match=r"'flow.py' is a folder; give a Python file in it"):
        read_target("flow.py:main")


@pytest.mark.usefixtures("imports")
class TestLoading:
    def test_a_file_is_imported_as_though_it_were_run(self, folder: Path) -> None:
        """Its folder comes first on the path, so it finds its neighbours."""
        (folder / "flows").mkdir()
        (folder / "flows" / "neighbour_of_flow.py").write_text("NAME = 'neighbour'\n")
        (folder / "flows" / "flow.py").write_text("from neighbour_of_flow import NAME\ndef main(task): return NAME\n")
        assert load_target(read_target("flows/flow.py:main"))("task") == "neighbour"

    def test_a_file_may_have_the_name_of_a_known_module(self, folder: Path) -> None:
        (folder / "json.py").write_text("def main(task): return __name__\n")
        assert load_target(read_target("./json.py:main"))("task") == "_dissonance_target_json"

    def test_a_callable_may_lie_in_an_object(self, folder: Path) -> None:
        (folder / "flow.py").write_text("class Flow:\n    @staticmethod\n    def main(task): return task\n")
        assert load_target(read_target("flow.py:Flow.main"))("task") == "task"

    def test_a_module_of_the_path(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (folder / "package_of_flows").mkdir()
        (folder / "package_of_flows" / "flow.py").write_text("def main(task): return __name__\n")
        monkeypatch.syspath_prepend(folder)
        assert load_target(read_target("package_of_flows.flow:main"))("task") == "package_of_flows.flow"

    def test_a_module_that_is_not_there(self) -> None:
        assert error_of("revue:review") == (
            "TARGET 'revue:review': there is no module 'revue' here or installed; did you mean 'review'?"
        )

    def test_a_module_that_is_not_in_its_package(self) -> None:
        assert error_of("dissonance.faults.lops:x") == (
            "TARGET 'dissonance.faults.lops:x': there is no module 'dissonance.faults.lops' "
            "in the package 'dissonance.faults'; did you mean 'loops'?"
        )

    @pytest.mark.parametrize(
        ("name", "hint"),
        [("summarize", "did you mean 'summarise'?"), ("main", "there are: ask, summarise")],
    )
    def test_a_callable_that_is_not_there(self, name: str, hint: str) -> None:
        assert (
            error_of(f"summary.py:{name}") == f"TARGET 'summary.py:{name}': summary.py has no callable {name!r}; {hint}"
        )

    def test_what_is_no_callable(self, folder: Path) -> None:
        (folder / "flow.py").write_text("main = 3\n")
        assert error_of("flow.py:main").startswith("TARGET 'flow.py:main': workflow=3 is not callable: ")

    def test_a_callable_of_two_arguments(self, folder: Path) -> None:
        (folder / "flow.py").write_text("def main(task, mood): ...\n")
        assert "needs the arguments task, mood, but is called with the task alone" in error_of("flow.py:main")

    def test_an_import_that_raises_shows_the_users_lines(self, folder: Path) -> None:
        (folder / "flow.py").write_text("def prepare():\n    return {}['key']\n\nprepare()\n")
        lines = error_of("flow.py:main").splitlines()
        assert lines == [
            "TARGET 'flow.py:main': flow.py cannot be imported; mend it:",
            f'  File "{folder}/flow.py", line 4, in <module>',
            "    prepare()",
            f'  File "{folder}/flow.py", line 2, in prepare',
            "    return {}['key']",
            "           ~~^^^^^^^",
            "KeyError: 'key'",
        ]

    @pytest.mark.parametrize(
        ("code", "last"),
        [
            ("import no_such_module_at_all\n", "ModuleNotFoundError: No module named 'no_such_module_at_all'"),
            ("raise SystemExit(1)\n", "SystemExit: 1"),
            ("def main(:\n", "SyntaxError: invalid syntax"),
        ],
        ids=["import", "exit", "syntax"],
    )
    @pytest.mark.parametrize("target", ["flow_that_raises.py:main", "flow_that_raises:main"])
    def test_every_way_of_failing_is_told(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, target: str, code: str, last: str
    ) -> None:
        monkeypatch.syspath_prepend(folder)
        (folder / "flow_that_raises.py").write_text(code)
        message = error_of(target)
        assert 'flow_that_raises.py", line 1' in message
        assert message.splitlines()[-1] == last

    def test_a_file_of_a_package_is_better_given_as_a_module(self, folder: Path) -> None:
        (folder / "flow_in_package.py").write_text("from . import neighbour\n")
        first, *_, last = error_of("flow_in_package.py:main").splitlines()
        assert first.endswith("flow_in_package.py cannot be imported; give it as package.module:callable:")
        assert last == "ImportError: attempted relative import with no known parent package"
