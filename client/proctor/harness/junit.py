"""A report as JUnit XML, which CI systems read: a suite per problem set, a case per problem.

A case fails where no sample of the problem is accepted, and is in error where none could be
scored, which is never the program's fault.
"""

import re
import xml.etree.ElementTree as ET
from collections import defaultdict

from proctor.harness import wording
from proctor.harness.report import ProblemScore, Report

# What XML 1.0 has no way to say.
_NOT_XML = re.compile(r"[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(report: Report) -> str:
    """The report in the shape of Jenkins' junit-10.xsd."""
    suites: defaultdict[str, list[ProblemScore]] = defaultdict(list)
    for score in report.problems:
        suites[score.id.rpartition("/")[0] or report.problem_set].append(score)
    root = ET.Element("testsuites", name=f"proctor eval {report.problem_set}")
    for name, scores in suites.items():
        root.append(_suite(name, scores, report))
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


# -- helpers ----------------------------------------------------------------------------------


def _suite(name: str, scores: list[ProblemScore], report: Report) -> ET.Element:
    # Local time by the schema's letter, but without an offset everyone reads it as UTC.
    suite = ET.Element(
        "testsuite",
        name=name,
        tests=str(len(scores)),
        failures=str(sum(bool(each.scored) and not each.solved for each in scores)),
        errors=str(sum(not each.scored for each in scores)),
        skipped="0",
        time=f"{sum(each.cpu_time_s for each in scores):.3f}",
        timestamp=report.began_at.strftime("%Y-%m-%dT%H:%M:%S"),
    )
    properties = ET.SubElement(suite, "properties")
    for key, value in wording.overall(report):
        ET.SubElement(properties, "property", name=key, value=_xml(value))
    reasons = {each.problem_id: each.reason for each in report.unscored}
    for score in scores:
        suite.append(_case(name, score, reasons.get(score.id, "")))
    return suite


def _case(suite: str, score: ProblemScore, reason: str) -> ET.Element:
    case = ET.Element("testcase", classname=suite, name=score.id, time=f"{score.cpu_time_s:.3f}")
    if not score.scored:
        told = f"not scored, through no fault of the programs: {reason}"
        ET.SubElement(case, "error", type="IE", message=_xml(told)).text = _xml(told)
    elif not score.solved:
        commonest = max(score.verdicts, key=lambda verdict: score.verdicts[verdict])
        told = wording.failure(score)
        ET.SubElement(case, "failure", type=commonest, message=told).text = told
    else:
        told = (
            f"{score.accepted} of {score.scored} sample(s) accepted: {wording.mix(score.verdicts)}"
        )
        ET.SubElement(case, "system-out").text = told
    return case


def _xml(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
