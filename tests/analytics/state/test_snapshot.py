import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from analytics.state.snapshot import pack, unpack
from sensors.errors import StateError

arrays = st.dictionaries(
    st.text("abcdef.", min_size=1, max_size=8),
    hnp.arrays(
        st.sampled_from(["<f8", "<f4", "|b1", "|i1", "<i8"]),
        hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4),
    ),
    max_size=4,
)


@given(arrays)
def test_comes_back_bit_for_bit_and_writable(found: dict[str, np.ndarray]) -> None:
    data = pack(found, {"b": 1, "a": [0.1, None]})
    back, values = unpack(data)
    assert values == {"b": 1, "a": [0.1, None]}
    assert set(back) == set(found)
    for name, array in found.items():
        assert back[name].dtype == array.dtype
        assert back[name].shape == array.shape
        assert back[name].tobytes() == array.tobytes()
        assert back[name].flags.writeable
    assert pack(back, values) == data


def test_order_of_arrays_does_not_matter() -> None:
    one, two = np.arange(3.0), np.arange(2)
    assert pack({"a": one, "b": two}, None) == pack({"b": two, "a": one[::1]}, None)


def test_strided_arrays_are_kept_by_value() -> None:
    back, _ = unpack(pack({"a": np.arange(12).reshape(3, 4).T}, None))
    assert back["a"].tolist() == np.arange(12).reshape(3, 4).T.tolist()


def test_objects_are_refused() -> None:
    with pytest.raises(StateError, match="array a holds objects"):
        pack({"a": np.array([object()])}, None)


@pytest.mark.parametrize(
    ("spoil", "text"),
    [
        pytest.param(lambda d: b"", "not a snapshot", id="empty"),
        pytest.param(lambda d: b"PK" + d[2:], "not a snapshot", id="other file"),
        pytest.param(lambda d: d[:-9], "damaged", id="cut short"),
        pytest.param(lambda d: d[:40] + bytes([d[40] ^ 1]) + d[41:], "damaged", id="bit flipped"),
        pytest.param(
            lambda d: d[:8] + struct.pack("<I", 99) + d[12:], "version 99", id="from the future"
        ),
    ],
)
def test_what_is_no_sound_snapshot_is_refused(spoil, text: str) -> None:
    data = pack({"a": np.arange(10.0)}, {"x": 1})
    with pytest.raises(StateError, match=text):
        unpack(spoil(data))
