"""The report as one HTML page that needs nothing else; pure.

Whatever a board said is escaped: a name is not to become markup.
"""

from __future__ import annotations

import re
from html import escape

from firmware_bridge.conformance.plots import draw
from firmware_bridge.conformance.report import Report
from firmware_bridge.conformance.verdict import Finding, Result

_CODE, _STRESSED = re.compile(r"`([^`]+)`"), re.compile(r"\*([^*]+)\*")
_SIGNS = {Result.PASS: "✓", Result.FAIL: "✗", Result.NOT_APPLICABLE: "\N{EN DASH}"}
_CLASSES = {Result.PASS: "pass", Result.FAIL: "fail", Result.NOT_APPLICABLE: "na"}

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --weak: #57606a; --ground: #fff; --edge: #d0d7de;
  --fail: #b3261e; --pass: #1a7f37; --panel: #f6f8fa;
  --c0: #0b57d0; --c1: #b3261e; --c2: #1a7f37; --c3: #7b3fb5; --c4: #8a5a00; --c5: #00707a; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --weak: #9da7b3; --ground: #0d1117;
  --edge: #3d444d; --fail: #ff8a80; --pass: #6fdd8b; --panel: #161b22;
  --c0: #8ab4f8; --c1: #ff8a80; --c2: #6fdd8b; --c3: #d0a9ff; --c4: #f2c14e; --c5: #6fd6e0; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--ground);
  margin: 0 auto; padding: 1.5rem; max-width: 60rem; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; } h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; }
h3 { font-size: 1rem; margin: 0; }
.outcome { font-size: 1.15rem; font-weight: 600; margin: .25rem 0 1rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; margin: 0; }
dt { color: var(--weak); } dd { margin: 0; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; font-size: .95rem; }
th, td { text-align: left; vertical-align: top; padding: .4rem .6rem .4rem 0;
  border-bottom: 1px solid var(--edge); }
th[scope=row] { font-weight: 600; } tbody th code { white-space: nowrap; } code { font-size: .95em; }
.result { white-space: nowrap; font-weight: 600; } .fail .result { color: var(--fail); }
.pass .result { color: var(--pass); } .na .result { color: var(--weak); font-weight: 400; }
.scroll { overflow-x: auto; }
.more { color: var(--weak); } .fail .more { color: var(--ink); }
figure { margin: 1rem 0 1.5rem; padding: .9rem 1rem; background: var(--panel);
  border: 1px solid var(--edge); border-radius: 6px; }
figcaption p { margin: .1rem 0 .6rem; color: var(--weak); font-size: .95rem; }
svg { width: 100%; height: auto; display: block; }
.grid { stroke: var(--edge); } .tick, .label { fill: var(--weak); font-size: 12px; }
.line { fill: none; stroke-width: 1.4; } .mark { fill: none; stroke-width: 1.2; }
.s0 { stroke: var(--c0); } .s1 { stroke: var(--c1); } .s2 { stroke: var(--c2); }
.s3 { stroke: var(--c3); } .s4 { stroke: var(--c4); } .s5 { stroke: var(--c5); }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; padding: 0;
  margin: .4rem 0; font-size: .95rem; } .key { width: 28px; height: 14px; display: inline-block; }
summary { cursor: pointer; } summary:focus-visible, .scroll:focus-visible { outline: 2px solid var(--c0); }
@media (max-width: 40rem) { body { padding: 1rem; } .mend { display: block; }
  .mend dd { margin: 0 0 .8rem; } }
"""


def _words(text: str) -> str:
    """Return `text` escaped, with what stands in backticks as code and in asterisks stressed."""
    plain = escape(text)
    return _STRESSED.sub(r"<em>\1</em>", _CODE.sub(r"<code>\1</code>", plain))


def page(report: Report) -> str:
    """Return the whole page."""
    title = f"Check of {report.target}"
    word = report.outcome.capitalize()
    sign = _SIGNS[Result.PASS if report.is_passed else Result.FAIL]
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(word)}: {escape(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
<h1>{escape(title)}</h1>
<p class="outcome"><span aria-hidden="true">{sign} </span>{escape(_outcome(report, word))}</p>
<dl>{_facts(report)}</dl>
{_failures(report)}
<h2 id="requirements">All requirements</h2>
{_table(report)}
<h2>What cannot be seen from here</h2>
<p>Also required, and for the maker to make sure of:</p>
<ul>{_not_tested(report)}</ul>
<h2>What was seen</h2>
{"".join(draw(plot) for plot in report.plots)}
</main>
</body>
</html>
"""


def _outcome(report: Report, word: str) -> str:
    return (
        f"{word}: {report.count(Result.PASS)} pass, {report.count(Result.FAIL)} fail, "
        f"{report.count(Result.NOT_APPLICABLE)} not applicable."
    )


def _facts(report: Report) -> str:
    facts = {
        **report.subject,
        "checked": report.checked_at,
        "for": f"{report.seconds:.0f} s",
    }
    return "".join(
        f"<dt>{escape(key)}</dt><dd>{escape(value)}</dd>" for key, value in facts.items()
    )


def _failures(report: Report) -> str:
    failed = [finding for finding in report.findings if finding.result is Result.FAIL]
    if not failed:
        return ""
    items = "".join(
        f"<dt><code>{escape(one.id)}</code></dt><dd><strong>Seen:</strong> {escape(one.seen)}<br>"
        f"<strong>Expected:</strong> {_words(one.expected)}<br>"
        f"<strong>Try:</strong> {_words(one.remedy)}</dd>"
        for one in failed
    )
    return f'<h2>What to mend</h2><dl class="mend">{items}</dl>'


def _table(report: Report) -> str:
    rows = "".join(_row(finding) for finding in report.findings)
    return (
        '<div class="scroll" role="region" aria-labelledby="requirements" tabindex="0"><table><thead><tr><th scope="col">Result</th>'
        '<th scope="col">Requirement</th><th scope="col">Seen</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _row(finding: Finding) -> str:
    sign, word = _SIGNS[finding.result], finding.result.value
    return (
        f'<tr class="{_CLASSES[finding.result]}">'
        f'<td class="result"><span aria-hidden="true">{sign} </span>{word}</td>'
        f'<th scope="row"><code>{escape(finding.id)}</code></th>'
        f'<td>{escape(finding.seen)}<br><span class="more">{_words(finding.expected)}</span></td>'
        "</tr>"
    )


def _not_tested(report: Report) -> str:
    return "".join(
        f"<li><code>{escape(name)}</code>: {_words(text)}</li>" for name, text in report.not_tested
    )
