"""Every scorer keeps every contract, and every contract can be broken."""

from __future__ import annotations

import pytest

from analytics.scoring.detector import Detector
from tests.contracts.scorer.broken import BROKEN
from tests.contracts.scorer.contracts import CONTRACTS, Contract
from tests.contracts.scorer.protocol import Scorer
from tests.contracts.scorer.two_signals import TwoSignals

SCORERS: tuple[type[Scorer], ...] = (Detector, TwoSignals)

_each = pytest.mark.parametrize("contract", CONTRACTS, ids=lambda c: c.__name__)


@_each
@pytest.mark.parametrize("scorer", SCORERS, ids=lambda c: c.__name__)
def test_a_scorer_keeps(contract: Contract, scorer: type[Scorer]) -> None:
    contract(scorer)


@_each
def test_a_contract_rejects_who_breaks_it(contract: Contract) -> None:
    with pytest.raises(AssertionError):
        contract(BROKEN[contract])


@_each
def test_who_breaks_one_contract_keeps_the_others(contract: Contract) -> None:
    for own, broken in BROKEN.items():
        if own is not contract:
            contract(broken)
