import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensors.edge.sealing.cipher import HEAD_BYTES, Cipher, SealError, key_head, new_key

KEY = bytes(range(32))
SECRET = b'{"hr_bpm":77.125}'


@given(st.binary(max_size=2000), st.binary(max_size=50))
def test_what_was_sealed_opens_and_shows_nothing(data, about):
    cipher = Cipher(KEY)
    sealed = cipher.seal(data, about)
    assert cipher.open(sealed, about) == data
    assert len(data) < 4 or data not in sealed
    assert sealed.startswith(key_head(KEY))
    assert KEY not in sealed


def test_it_opens_only_as_what_it_was_sealed():
    cipher = Cipher(KEY)
    sealed = cipher.seal(SECRET, b"run1/5")
    with pytest.raises(SealError, match="another's place"):
        cipher.open(sealed, b"run1/6")


def test_every_changed_byte_and_every_cut_is_found():
    cipher = Cipher(KEY)
    sealed = cipher.seal(SECRET, b"about")
    for n in range(len(sealed)):
        changed = bytearray(sealed)
        changed[n] ^= 1
        with pytest.raises(SealError):
            cipher.open(bytes(changed), b"about")
        with pytest.raises(SealError):
            cipher.open(sealed[:n], b"about")


def test_another_key_does_not_open_it_and_an_older_one_does():
    sealed = Cipher(KEY).seal(SECRET, b"about")
    other = new_key()
    with pytest.raises(SealError, match="not here"):
        Cipher(other).open(sealed, b"about")
    both = Cipher(other, [KEY])
    assert both.open(sealed, b"about") == SECRET
    assert both.seal(SECRET, b"about").startswith(key_head(other))
    assert set(both.heads) == {key_head(KEY), key_head(other)}


def test_no_nonce_comes_twice():
    cipher = Cipher(KEY)
    sealed = {cipher.seal(SECRET, b"")[HEAD_BYTES : HEAD_BYTES + 12] for _ in range(5000)}
    assert len(sealed) == 5000
