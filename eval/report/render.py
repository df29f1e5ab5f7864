"""Report what a run or gate found: text for people, Markdown for a pull request, JUnit XML and JSON for programs."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any
from xml.etree import ElementTree

import numpy as np

from eval.gate import Gate, Verdict, paired
from eval.metrics import paired_test, percentile
from eval.report.markdown import markdown_table
from eval.run import Run, interval, numbers, overall
from rag.errors import InvalidInput

VERDICT_HEADER = ("", "fails if", "before", "now", "lost", "at least", "smallest visible", "questions")
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def run_rows(run: Run) -> list[tuple[str, str, str, int, int]]:
    """Return each measure's mean, its 95 % interval, the number of questions, and how many gave no number."""
    names = dict.fromkeys(name for outcome in run.outcomes for name in outcome.values)
    rows = []
    for name in names:
        found = numbers(run, name)
        lost = sum(name in outcome.values and outcome.values[name] is None for outcome in run.outcomes)
        if found:
            low, high = interval(found)
            rows.append(
                (name, f"{sum(found) / len(found):.3f}", f"{low:.3f} to {high:.3f}", len(found), lost)
            )
        else:
            rows.append((name, "no number", "", 0, lost))
    return rows


def time_rows(run: Run) -> list[tuple[str, str, str]]:
    """Return p50 and p95 of each stage's time, in milliseconds."""
    stages = dict.fromkeys(stage for outcome in run.outcomes for stage in outcome.timings_ms)
    rows = []
    for stage in stages:
        taken = [outcome.timings_ms[stage] for outcome in run.outcomes if stage in outcome.timings_ms]
        rows.append((stage, f"{percentile(taken, 0.5):.1f}", f"{percentile(taken, 0.95):.1f}"))
    return rows


def token_rows(run: Run) -> list[tuple[str, float]]:
    """Return the mean of each part of the prompt, in tokens: S, T, H, R and U."""
    names = {"system": "S", "tools": "T", "memory": "H", "evidence": "R", "question": "U"}
    total = max(1, len(run.outcomes))
    return [
        (f"{letter}, {part}", round(sum(outcome.tokens[part] for outcome in run.outcomes) / total, 1))
        for part, letter in names.items()
    ]


def run_markdown(run: Run) -> str:
    """Return a run as Markdown."""
    parts = [
        f"# {run.name}: {len(run.outcomes)} questions over {run.corpus}, {run.date}, commit {run.commit}\n",
        markdown_table(("measure", "mean", "95 %", "questions", "no number"), run_rows(run)),
        markdown_table(("of all", "figure"), [(name, f"{v:.3f}") for name, v in overall(run).items()]),
        markdown_table(("stage", "ms p50", "ms p95"), time_rows(run)),
        markdown_table(("part of the prompt", "tokens, mean"), token_rows(run)),
        markdown_table(("size", "figure"), run.size.items()),
        _checks(run.checks),
    ]
    return "\n".join(parts)


def gate_markdown(gate: Gate) -> str:
    """Return a gate's verdicts as Markdown, failures first."""
    asked = f"{gate.asked} of the baseline's {gate.of} questions asked"
    parts = [
        f"## {'Passed' if gate.passed else 'FAILED'}: {asked}\n",
        markdown_table(VERDICT_HEADER, verdict_rows(gate)),
        _checks(gate.checks),
        "".join(f"- {line}\n" for line in warnings(gate)),
    ]
    if gate.worst:
        rows = [(identity, name, f"{lost:.2f}") for identity, name, lost in gate.worst]
        parts.append(markdown_table(("question", "measure", "lost"), rows))
    return "\n".join(filter(None, parts))


def verdict_rows(gate: Gate) -> list[Sequence[str | int]]:
    """Return the verdicts as rows of a table, failures first."""
    return [_verdict_row(one) for one in sorted(gate.verdicts, key=lambda verdict: not verdict.failed)]


def warnings(gate: Gate) -> list[str]:
    """Return the gate's blind spots: rules that it could not judge, or that the set is too small to enforce."""
    said = [f"not judged: {why}." for why in gate.skipped]
    said += [
        f"{one.rule.name}: {one.questions} questions distinguish a loss of {one.resolution:.3g} from none, "
        f"but not one of {one.rule.allowed:g}; one of {one.visible:.3g} would have failed four times in five. "
        "Add questions, or allow more."
        for one in gate.verdicts
        if one.blind
    ]
    return said + [
        f"{one.rule.name}: {one.gone} of the baseline's values are missing now."
        for one in gate.verdicts
        if one.gone
    ]


def comparison_markdown(before: Run, now: Run) -> str:
    """Return every measure of two runs over the questions that both asked.

    p is that of a paired randomisation test, uncorrected: among many measures, some are small by chance.

    Raises:
        InvalidInput: if no question was asked in both.
    """
    pairs = paired(before, now)
    if not pairs:
        raise InvalidInput("The runs share no question in its present form; compare runs of one set.")
    rows = []
    for name in dict.fromkeys(name for _, outcome in pairs for name in outcome.values):
        values = [(first.values.get(name), second.values.get(name)) for first, second in pairs]
        both = [(old, new) for old, new in values if old is not None and new is not None]
        if both:
            old, new = (np.array(side) for side in zip(*both, strict=True))
            means = [f"{old.mean():.3f}", f"{new.mean():.3f}", f"{new.mean() - old.mean():+.3f}"]
            rows.append((name, *means, f"{paired_test(old, new):.3f}", len(both)))
    titles = [f"{run.name}, {run.date}, commit {run.commit}" for run in (before, now)]
    table = markdown_table(("measure", "before", "now", "difference", "p", "questions"), rows)
    whole = [overall(run) for run in (before, now)]
    names = dict.fromkeys([*whole[0], *whole[1]])
    of_all = [(name, *(f"{one[name]:.3f}" if name in one else "" for one in whole)) for name in names]
    more = markdown_table(("of all", "before", "now"), of_all)
    return f"before: {titles[0]}\nnow: {titles[1]}\nboth: {len(pairs)} questions\n\n{table}\n{more}"


def nested_markdown(title: str, rows: Mapping[str, Mapping[str, float]]) -> str:
    """Return rows of the same named figures as a table."""
    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    cells = [
        (key, *(f"{row[name]:.3g}" if name in row else "" for name in names)) for key, row in rows.items()
    ]
    return markdown_table((title, *names), cells)


def gate_json(gate: Gate) -> dict[str, Any]:
    """Return a gate as JSON."""
    return {
        "passed": gate.passed,
        "rules": [_verdict_json(one) for one in gate.verdicts],
        "not judged": list(gate.skipped),
        "questions": {"asked": gate.asked, "of the baseline's": gate.of},
        "checks": [asdict(check) for check in gate.checks],
        "worst": [{"question": i, "measure": name, "lost": lost} for i, name, lost in gate.worst],
        "warnings": warnings(gate),
    }


def gate_junit(gate: Gate) -> str:
    """Return a gate as JUnit XML: a test case for each rule and check; its blind spots as output."""
    cases = [("eval.rules", str(one.rule), _why(one) if one.failed else "") for one in gate.verdicts]
    cases += [("eval.checks", check.name, "" if check.ok else check.found) for check in gate.checks]
    return _junit(cases, [], "\n".join(warnings(gate)))


def error_junit(why: str) -> str:
    """Return JUnit XML that says why the gate could not run."""
    return _junit([], [why], "")


def _junit(cases: Sequence[tuple[str, str, str]], errors: Sequence[str], said: str) -> str:
    failures = sum(bool(why) for _, _, why in cases)
    counts = {"tests": len(cases) + len(errors), "failures": failures, "errors": len(errors)}
    attributes = {"name": "ibid eval gate", **{key: str(count) for key, count in counts.items()}}
    suite = ElementTree.Element("testsuite", attributes)
    for group, name, why in cases:
        case = ElementTree.SubElement(suite, "testcase", classname=group, name=_xml(name))
        if why:
            ElementTree.SubElement(case, "failure", message=_xml(why)).text = _xml(why)
    for why in errors:
        case = ElementTree.SubElement(suite, "testcase", classname="eval", name="the gate runs")
        ElementTree.SubElement(case, "error", message=_xml(why)).text = _xml(why)
    if said:
        ElementTree.SubElement(suite, "system-out").text = _xml(said)
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def _xml(text: str) -> str:
    """Replace characters that XML forbids."""
    return _NO_XML.sub("\N{REPLACEMENT CHARACTER}", text)


def to_json(value: Any) -> str:
    """Return a value as indented JSON."""
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"


def _verdict_json(one: Verdict) -> dict[str, Any]:
    found = asdict(one) | {"rule": str(one.rule), "visible": one.visible, "blind": one.blind}
    return {key: None if isinstance(v, float) and math.isnan(v) else v for key, v in found.items()}


def _verdict_row(one: Verdict) -> Sequence[str | int]:
    figures = (one.before, one.now, one.loss, one.least, one.visible)
    return ("FAIL" if one.failed else "pass", str(one.rule), *(f"{v:.3f}" for v in figures), one.questions)


def _why(one: Verdict) -> str:
    if math.isnan(one.now):
        return f"only {one.questions} questions still have {one.rule.name!r}, too few to judge it."
    if not one.least > one.rule.allowed:
        return f"{one.gone} of the baseline's values are missing now."
    return (
        f"from {one.before:.3f} to {one.now:.3f}: lost {one.loss:.3f}, at least {one.least:.3f}, "
        f"and {one.rule.allowed:g} is allowed."
    )


def _checks(checks: Sequence[Any]) -> str:
    rows = [("ok" if check.ok else "FAIL", check.name, check.found) for check in checks]
    return markdown_table(("", "check", "found"), rows) if rows else ""
