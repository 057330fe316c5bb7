"""What is probed: ``module:callable`` or ``path/to/file.py:callable``, found and imported.

:func:`read_target` looks at the text alone and runs in the command's own process;
:func:`load_target` imports the user's code and runs in the child, which can be killed.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import sys
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any

from dissonance.harness.errors import BadInput
from dissonance.harness.runtimes import adapted, stay_at_home
from dissonance.harness.workflow import Restartable, check_workflow, name_of

__all__ = ["Target", "load_named", "load_target", "near", "read_target"]

_FORMS = "give module:callable or path/to/file.py:callable"
_FRAMES = 4
"""Frames of the user's traceback that an error shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """``text`` as the user wrote it; ``where`` is the module's name, or the file's path if ``is_file``."""

    text: str
    where: str
    name: str
    is_file: bool


def read_target(text: str) -> Target:
    """The target that a text names. Raises BadInput where it names none, or a file that is not there.

    >>> read_target("flows.review:main")
    Target(text='flows.review:main', where='flows.review', name='main', is_file=False)
    """
    where, colon, name = text.rpartition(":")
    if not (where and colon and all(part.isidentifier() for part in name.split("."))):
        whole = text.rstrip(":") if text.strip(":") else "flow.py"
        hint = f", such as {whole}:main" if ":" not in whole else ""
        raise BadInput(f"TARGET {text!r} names no callable: {_FORMS}{hint}")
    is_file = where.endswith(".py") or "/" in where or "\\" in where
    if is_file:
        _check_file(text, Path(where))
    elif not all(part.isidentifier() for part in where.split(".")):
        raise BadInput(f"TARGET {text!r}: {where!r} is no module's name: {_FORMS}")
    return Target(text=text, where=where, name=name, is_file=is_file)


def load_target(target: Target) -> Callable[..., Any]:
    """Import the module or file, and take the callable from it.

    :raises BadInput: there is none, its import raises, or it cannot be called with a task.
    """
    found: Any = load_named(target)
    try:
        workflow = adapted(found) or check_workflow(found)
    except BadInput as error:
        raise BadInput(f"TARGET {target.text!r}: {error}") from None
    return workflow if not isinstance(workflow, Restartable) else _maker(workflow)


def load_named(target: Target) -> object:
    """Import the module or file, and take what is named from it. Raises BadInput."""
    stay_at_home()
    return _attribute(target, _import_file(target) if target.is_file else _import_module(target))


def _maker(workflow: Restartable) -> Callable[..., Any]:
    def made(human: object = None) -> Restartable:  # asks for one in the name of its parts
        return workflow

    made.__qualname__ = name_of(workflow)
    return made


def near(name: str, known: Iterable[str]) -> str:
    """A hint at the end of an error: the closest known name, else what there is.

    >>> near("mian", ["main", "other"])
    "did you mean 'main'?"
    """
    names = sorted(known)
    close = get_close_matches(name, names, 1)
    if close:
        return f"did you mean {close[0]!r}?"
    shown = ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
    return f"there are: {shown}" if names else "there is none"


# --- a file -----------------------------------------------------------------------------------


def _check_file(text: str, path: Path) -> None:
    if path.is_file():
        return
    if path.is_dir():
        raise BadInput(f"TARGET {text!r}: {str(path)!r} is a folder; give a Python file in it")
    if not path.parent.is_dir():
        raise BadInput(
            f"TARGET {text!r}: the folder {str(path.parent)!r} does not exist; give the path of a Python file"
        )
    files = (each.name for each in path.parent.glob("*.py"))
    raise BadInput(f"TARGET {text!r}: the file {str(path)!r} does not exist; {near(path.name, files)}")


def _import_file(target: Target) -> ModuleType:
    """As ``python file.py`` would: its folder is searched first. Its name is free for what it imports itself."""
    path = Path(target.where).resolve()
    sys.path.insert(0, str(path.parent))
    taken = path.stem in sys.modules or path.stem in sys.stdlib_module_names
    name = f"_dissonance_target_{path.stem}" if taken else path.stem
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise BadInput(f"TARGET {target.text!r}: {target.where!r} is no Python file; its name must end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        raise _import_failed(target, error) from None
    return module


# --- a module ---------------------------------------------------------------------------------


def _import_module(target: Target) -> ModuleType:
    try:
        return importlib.import_module(target.where)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if missing and f"{target.where}.".startswith(f"{missing}."):
            raise _no_module(target, missing) from None
        raise _import_failed(target, error) from None
    except BaseException as error:
        raise _import_failed(target, error) from None


def _no_module(target: Target, missing: str) -> BadInput:
    package, _, name = missing.rpartition(".")
    path = list(getattr(sys.modules.get(package), "__path__", ())) if package else [str(Path.cwd())]
    hint = near(name, (found.name for found in pkgutil.iter_modules(path)))
    place = f"in the package {package!r}" if package else "here or installed"
    return BadInput(f"TARGET {target.text!r}: there is no module {missing!r} {place}; {hint}")


# --- what is in it ----------------------------------------------------------------------------


def _attribute(target: Target, module: ModuleType) -> object:
    found: object = module
    for part in target.name.split("."):
        if not hasattr(found, part):
            hint = near(part, _callables(found))
            raise BadInput(f"TARGET {target.text!r}: {target.where} has no callable {target.name!r}; {hint}")
        found = getattr(found, part)
    return found


def _callables(owner: object) -> list[str]:
    """Public callables that are defined there, not those that it merely imports."""
    home = getattr(owner, "__name__", None) if isinstance(owner, ModuleType) else getattr(owner, "__module__", None)
    return [
        name
        for name, value in vars(owner).items()
        if callable(value) and not name.startswith("_") and getattr(value, "__module__", None) == home
    ]


def _import_failed(target: Target, error: BaseException) -> BadInput:
    if isinstance(error, KeyboardInterrupt):
        raise error
    lines = "".join([*_user_frames(error), *traceback.format_exception_only(error)]).rstrip()
    remedy = "give it as package.module:callable" if "relative import" in str(error) else "mend it"
    return BadInput(f"TARGET {target.text!r}: {target.where} cannot be imported; {remedy}:\n{lines}")


def _user_frames(error: BaseException) -> list[str]:
    """The last lines of the traceback, without the import machinery and this file."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<frozen importlib") and frame.filename not in (__file__, importlib.__file__)
    ]
    return traceback.format_list(frames[-_FRAMES:])
