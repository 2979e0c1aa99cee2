"""Who leans: evidence above a line that says little of one person, and much of many at once.

The threshold of a personal alert is strict, so that of a whole team nearly
nobody crosses it by chance. Of many who cross a lower line together that is
said by their number (`analytics.alerts.common_cause`).
"""

from __future__ import annotations

import numpy as np

from analytics.scoring.episodes import Episodes, Floats, Mask, Rows

LINE = 2.2
"""Evidence from which an agent leans. One of ``NULL_CURVE``: a calm one does 0.065 times an hour.

Lower, so many lean by chance that more are needed than a cause reaches in a
team of ten; higher, a cause reaches fewer of a big team, later
(``benchmarks/team_causes.py``). (this project)
"""


class Leanings(Episodes):
    """The episodes of every agent at the lower line: same delays, same end after an hour.

    Whether they recover is followed as well and asked by nobody.
    """

    def follow(
        self, rows: Rows, at_s: Floats, evidence: Floats, threshold: Floats, live: Mask
    ) -> Mask:
        """Advance the agents of `rows` by one window; return who stands above the line.

        As :meth:`~analytics.scoring.episodes.Episodes.step`. A small team's own
        threshold may be below the line; then it counts.
        """
        found = self.step(rows, at_s, evidence, np.minimum(threshold, LINE), live)
        return np.asarray(found.active | found.pending, bool)

    def since_s(self, rows: Rows) -> Floats:
        """Return when the evidence of each rose above the line; NaN where it stands below.

        [s since the epoch]
        """
        found: Floats = self._arrays["since"][rows]
        return found
