import errno
import os

import pytest

from sensors.replacing import remedy, replace_durably


def test_a_file_is_replaced_as_a_whole_and_only_its_owner_reads_it(tmp_path):
    path = tmp_path / "choices.json"
    for data in (b"one", b"another"):
        replace_durably(path, data)
        assert path.read_bytes() == data
    assert [one.name for one in tmp_path.iterdir()] == ["choices.json"]
    if os.name == "posix":
        assert path.stat().st_mode & 0o077 == 0


def test_where_it_cannot_be_put_nothing_is_left_behind(tmp_path):
    taken = tmp_path / "taken"
    taken.mkdir()
    with pytest.raises(OSError, match="directory"):
        replace_durably(taken, b"one")
    assert [one.name for one in tmp_path.iterdir()] == ["taken"]


@pytest.mark.parametrize(
    ("number", "what"),
    [
        (errno.ENOSPC, "free space"),
        (errno.EDQUOT, "free space"),
        (errno.EROFS, "check [edge] state_dir"),
        (errno.EACCES, "check [edge] state_dir"),
    ],
)
def test_the_remedy_fits_what_the_disk_says(number, what):
    assert remedy(OSError(number, os.strerror(number))) == what
