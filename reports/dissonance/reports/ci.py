"""A report for continuous integration: Markdown for a pull request's comment, and JUnit's XML."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from xml.etree import ElementTree

from dissonance.harness.checks.verdict import Status

from .page import Finding, Report
from .theme import GLYPH, SAID

__all__ = ["for_ci", "junit", "markdown"]


def for_ci(report: Report) -> dict[str, bytes]:
    """Both, by file name, to be written beside the page: ``report.md`` and ``junit.xml``."""
    return {"report.md": markdown(report).encode(), "junit.xml": junit(report)}


def markdown(report: Report) -> str:
    """Title, lead and one row a finding, the worst first; below, how to replay what did not hold."""
    titles = {section.name: section.title for section in report.sections}
    lines = [f"# {report.title}", "", _escaped(report.lead), "", "| | finding |", "|---|---|"]
    for finding in report.findings:
        about = f"**{_cell(titles[finding.section])}**: " if finding.section else ""
        lines.append(f"| {GLYPH[finding.status]} {SAID[finding.status]} | {about}{_cell(finding.sentence)} |")
    replays = list(dict.fromkeys(_replays(report)))
    if replays:
        lines += ["", "Replay:", "", *(f"    {line}" for line in replays)]
    return "\n".join(lines) + "\n"


def junit(report: Report) -> bytes:
    """A test case for each section that judges; *fail* is a failure, *unknown* an error, as JUnit tells them apart."""
    judged = [(section, section.verdict) for section in report.sections if section.verdict is not None]
    count = Counter(verdict.status for _, verdict in judged)
    totals = {"tests": str(len(judged)), "failures": str(count["fail"]), "errors": str(count["unknown"])}
    suites = ElementTree.Element("testsuites")
    suite = ElementTree.SubElement(suites, "testsuite", {"name": "dissonance", **totals, "skipped": "0"})
    for section, verdict in judged:
        case = ElementTree.SubElement(suite, "testcase", {"classname": "dissonance", "name": section.title})
        properties = ElementTree.SubElement(case, "properties")
        for name, value in _properties(verdict):
            ElementTree.SubElement(properties, "property", {"name": f"dissonance.{name}", "value": _legal(value)})
        if verdict.status in _ELEMENT:
            told = ElementTree.SubElement(case, _ELEMENT[verdict.status], {"message": _legal(verdict.sentence)})
            told.text = _legal("\n".join(filter(None, [verdict.sentence, verdict.replay])))
    ElementTree.indent(suites)
    content: bytes = ElementTree.tostring(suites, encoding="utf-8", xml_declaration=True)
    return content + b"\n"


_ELEMENT: dict[Status, str] = {"fail": "failure", "unknown": "error"}


def _properties(verdict: Finding) -> Iterator[tuple[str, str]]:
    yield "status", verdict.status
    if verdict.tier:
        yield "tier", verdict.tier
    if verdict.replay:
        yield "replay", verdict.replay


def _replays(report: Report) -> Iterator[str]:
    verdicts = [section.verdict for section in report.sections if section.verdict is not None]
    for each in (*report.findings, *verdicts):
        if each.status != "pass" and each.replay:
            yield each.replay


def _legal(text: str) -> str:
    """Without the control characters that XML cannot hold."""
    return _ILLEGAL.sub("?", text)


_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # https://www.w3.org/TR/xml/#charsets


def _cell(text: str) -> str:
    return _escaped(text).replace("|", "\\|")


def _escaped(text: str) -> str:
    """A text of the user's in one line, in which no HTML and no mention takes effect."""
    return " ".join(text.replace("&", "&amp;").replace("<", "&lt;").replace("@", "@\u200b").split())
