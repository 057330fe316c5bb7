"""A report on the disk: ``index.html``, ``figures/*.png``, ``tables/*.csv`` and ``*.parquet``, ``report.json``.

Everything is rendered before the first byte is written, each file arrives whole (written beside,
then renamed), and ``index.html`` comes last. ``report.json`` lists the findings and the files, for
programs; of an older report in the same folder, the files that it lists and the new one has not are removed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from dissonance.harness.errors import BadInput

from .page import Picture, Report, Table
from .render import render
from .theme import to_png

__all__ = ["DEFAULT_FOLDER", "SCHEMA", "write_report"]

DEFAULT_FOLDER = Path("dissonance-report")
SCHEMA = 1
_INDEX = "index.html"
_MANIFEST = "report.json"


_NOTHING: Mapping[str, bytes] = {}


def write_report(report: Report, out: str | Path = DEFAULT_FOLDER, *, beside: Mapping[str, bytes] = _NOTHING) -> Path:
    """Write the report into this folder, made if need be; the path of its ``index.html``.

    ``beside`` are further files, by name, as :func:`~.ci.for_ci` makes them.

    :raises BadInput: ``out`` is a file, or cannot be written.
    """
    folder = Path(out)
    files = _files(report, beside)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stale = _listed(folder) - files.keys()
        for name, content in files.items():
            _replace(folder / name, content)
    except OSError as error:
        raise BadInput(
            f"out={str(out)!r}: cannot write the report: {error.strerror}; give the path of a folder that can be written"
        ) from None
    for name in sorted(stale):
        (folder / name).unlink(missing_ok=True)
    return folder / _INDEX


def _files(report: Report, beside: Mapping[str, bytes]) -> dict[str, bytes]:
    files = dict(_data(report)) | dict(beside)
    files[_MANIFEST] = _manifest(report, [*files, _MANIFEST, _INDEX])
    files[_INDEX] = render(report).encode()
    return files


def _data(report: Report) -> Iterator[tuple[str, bytes]]:
    for section in report.sections:
        for block in section.blocks:
            if isinstance(block, Picture):
                yield f"figures/{block.name}.png", to_png(block.figure)
            elif isinstance(block, Table):
                yield f"tables/{block.name}.csv", block.frame.to_csv(index=False, lineterminator="\n").encode()
                yield f"tables/{block.name}.parquet", block.frame.to_parquet(index=False)


def _manifest(report: Report, files: list[str]) -> bytes:
    findings = [
        {name: getattr(finding, name) for name in ("section", "status", "sentence", "tier", "replay")}
        for finding in report.findings
    ]
    sections = [
        {"name": section.name, "status": verdict and verdict.status, "sentence": verdict and verdict.sentence}
        for section in report.sections
        for verdict in (section.verdict,)
    ]
    content = {
        "schema": SCHEMA,
        "title": report.title,
        "status": report.status,
        "findings": findings,
        "sections": sections,
        "environment": dict(report.environment),
        "parameters": {name: dict(given) for name, given in report.parameters.items()},
        "files": files,
    }
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()


def _listed(folder: Path) -> set[str]:
    """The pictures and tables of the report that stands in this folder; empty where none does."""
    try:
        names = json.loads((folder / _MANIFEST).read_bytes())["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return set()
    ours = (("figures", ".png"), ("tables", ".csv"), ("tables", ".parquet"))
    paths = [Path(name) for name in names if isinstance(name, str)]
    return {path.as_posix() for path in paths if len(path.parts) == 2 and (path.parts[0], path.suffix) in ours}


def _replace(path: Path, content: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    beside.write_bytes(content)
    os.replace(beside, path)
