"""From facts to HTML: the one importer of Jinja. Everything shown is worked out before."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from sensors import codec
from sensors.edge.consent.permission import Reason
from sensors.edge.page import capture, chart, seen, tables, told
from sensors.edge.page.facts import Facts, Said
from sensors.edge.words import losses
from sensors.shown import clock
from sensors.words import LANGUAGES, Words

FOLDER = Path(__file__).parent

SCALE = tuple(range(11))
"""0 to 10, as a self-report is asked."""


class Page:
    """The templates, compiled once."""

    def __init__(self) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(FOLDER),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )

    def html(self, words: Words, facts: Facts, said: Said, *, is_whole: bool) -> str:
        """Return the page; without `is_whole` only what changes from minute to minute.

        Parameters
        ----------
        words : Words
        facts : Facts
        said : Said
        is_whole : bool
            Last day and month are read from disk, so a refresh leaves them out.
        """
        rows = capture.rows(words, facts)
        shown = seen.seen(words, facts)
        mirror = facts.known_mirror
        return self._environment.get_template(
            "page.html"
        ).render(
            words=words,
            say=words.say,
            facts=facts,
            said=said,
            is_whole=is_whole,
            languages=LANGUAGES,
            agent=facts.report["agent"].upper(),
            rows=rows,
            losses=losses(words, facts.report),
            reading=capture.sentence(words, facts, rows),
            is_paused=Reason.PAUSED in facts.permission.reasons,
            seen=shown,
            chip=Markup(shown.chip),  # noqa: S704 - built by sensors.shown, which escapes
            progress=told.progress(words, facts),
            questions=told.questions(words, facts),
            scale=SCALE,
            compared=tables.sentence(words, facts),
            index=tables.index_lines(words, mirror, is_private=facts.is_private) if mirror else [],
            usual=tables.usual_rows(words, facts.mirror.usual) if facts.mirror else [],
            measured=tables.measured(words, facts) if is_whole else [],
            unit=tables.unit,
            picture=lambda row: self._picture(words, facts, row),
            history=told.history(words, facts.notices, is_private=facts.is_private),
            day=lambda at: at.astimezone().strftime("%Y-%m-%d"),
            clock=clock,
            zone="UTC" + facts.now.astimezone().isoformat()[-6:],
            delivery=seen.delivery(words, facts),
            window=codec.encode(facts.window).decode() if facts.window else "",
        )

    def _picture(self, words: Words, facts: Facts, row: tables.MeasuredRow) -> Markup:
        label = words.say(
            "{name}, last day: lowest, mean, highest {day}", name=row.name, day=row.day
        )
        return Markup(chart.day_svg(row.day_points, facts.now, label))  # noqa: S704 - escaped there
