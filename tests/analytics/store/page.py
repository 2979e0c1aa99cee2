"""The researcher's page, taken apart."""

import re
from pathlib import Path

from analytics.store.points import Measurement

PAGE = (Path(__file__).parents[3] / "analytics/store/README.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    """Return what stands below the heading `title`, up to the next of its rank or above."""
    level = title.split(" ", maxsplit=1)[0]
    below = PAGE.split(f"\n{title}\n", 1)[1]
    return re.split(rf"\n#{{2,{len(level)}}} ", below, maxsplit=1)[0]


def documented(measurement: Measurement) -> dict[str, tuple[str, str, str]]:
    """Return type, unit and meaning of each field in the table of `measurement`."""
    rows = re.findall(
        r"^\| ((?:`\w+` ?)+)\| (\w+) \| (\S+(?: \S+)?) \| (.+) \|$",
        section(f"## {measurement}"),
        re.MULTILINE,
    )
    return {name: tuple(row[1:]) for row in rows for name in re.findall(r"\w+", row[0])}


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
