"""Lost, repeated and late frames, against a slow and obvious count."""

from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.protocol.counting import AHEAD, WINDOW, Counting


def naive(numbers):
    """Count by remembering every frame's whole number."""
    taken, seen, newest, late, repeated, stale = [], set(), None, 0, 0, 0
    for number in numbers:
        if newest is not None and number < newest - WINDOW:
            stale += 1
            taken.append(False)
            continue
        if number in seen:
            repeated += 1
            taken.append(False)
            continue
        if newest is not None and number < newest:
            late += 1
        seen.add(number)
        newest = number if newest is None else max(newest, number)
        taken.append(True)
    first = numbers[0] if numbers else 0
    lost = len({*range(first, (newest or 0) + 1)} - seen) if numbers else 0
    return taken, (lost, repeated, late, stale)


def counted(numbers):
    counting = Counting()
    taken = [counting.take(number & 0xFFFF) for number in numbers]
    return taken, (counting.lost, counting.repeated, counting.late, counting.stale)


@settings(deadline=None)
@given(
    st.integers(0, 0xFFFF),
    st.lists(st.integers(-90, 90), max_size=200),
)
def test_steps_of_every_kind(first, steps):
    numbers = [first + 1_000]
    for step in steps:
        numbers.append(max(first, numbers[-1] + step))
    assert counted(numbers) == naive(numbers)


@settings(deadline=None)
@given(
    st.integers(0, 0xFFFF),
    st.lists(st.sampled_from((0, 1, 1, 1, 1, 2)), min_size=100, max_size=150),
    st.lists(st.integers(0, 60), max_size=30),
)
def test_a_stream_in_disorder(first, copies, swaps):
    """Loss, repetition and changed places, over the wrap of the counter."""
    numbers = [first + at for at, count in enumerate(copies) for _ in range(count)]
    for at in swaps:
        numbers[at : at + 2] = reversed(numbers[at : at + 2])
    assert counted(numbers) == naive(numbers)


def test_what_came_before_the_first_frame_was_not_lost():
    counting = Counting()
    assert counting.take(100)
    assert counting.take(99)
    assert (counting.lost, counting.late) == (0, 1)
    assert not counting.take(99)


def test_a_jump_is_lost_and_forgets_what_was_seen():
    counting = Counting()
    assert counting.take(0)
    assert counting.take(AHEAD)
    assert counting.lost == AHEAD - 1
    assert not counting.take(0)
    assert counting.stale == 1


def test_a_longer_one_is_not_believed():
    counting = Counting()
    assert counting.take(0)
    for counter in (AHEAD + 1, 30_000, 0xFFFF - WINDOW):
        assert not counting.is_near(counter)
        assert not counting.take(counter)
    assert (counting.lost, counting.stale) == (0, 3)
    counting.begin(30_000)
    assert counting.take(30_001)
    assert counting.lost == 0
