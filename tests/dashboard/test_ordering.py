"""Nothing moves under the cursor."""

from hypothesis import given
from hypothesis import strategies as st

from dashboard.ordering import arrange, settle

CARDS = st.lists(st.sampled_from("abcdefgh"), unique=True)


def test_new_cards_come_last_and_gone_ones_leave_their_place_empty() -> None:
    assert arrange(["a", "b", "c"], ["a", "c", "d"]) == ["a", None, "c", "d"]


def test_empty_places_at_the_end_go() -> None:
    assert arrange(["a", "b", None, "c"], ["a"]) == ["a"]


@given(rounds=st.lists(CARDS, min_size=1, max_size=6))
def test_a_card_that_stays_never_moves(rounds: list[list[str]]) -> None:
    places: list[str | None] = []
    for present in rounds:
        before = {card: i for i, card in enumerate(places) if card is not None}
        places = arrange(places, present)
        shown = [card for card in places if card is not None]
        assert sorted(shown) == sorted(present)
        for index, card in enumerate(places):
            if card in before:
                assert before[card] == index


def test_a_card_taken_here_stays_where_the_hand_is() -> None:
    wanted = {"a": "mine", "b": "mine", "c": "signals"}
    assert settle({"a": "signals"}, wanted, {"a", "b"}) == {
        "a": "signals",
        "b": "mine",
        "c": "signals",
    }
