"""study.toml: every mistake is one line; the key of the pseudonyms is nobody else's."""

import os
from datetime import UTC, datetime

import pytest

from analytics.research.catalogue import LOOK_BACK
from analytics.research.pseudonyms import study_key
from analytics.research.study_file import read_study
from sensors.errors import ConfigurationError, StateError
from tests.analytics.research.conftest import STUDY, form


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "missing required field `id`"),
        ("[study", "not valid TOML"),
        (STUDY.replace('"board 1"', '" "'), "approved_by is empty"),
        (STUDY.replace('id = "small"', 'id = "Small Study"'), "id"),
        (STUDY.replace("covers = [", 'covers = ["eda", '), "covers"),
        (STUDY.replace('["heart", "self_report", "alerts", "context"]', "[]"), "covers is empty"),
        (STUDY + "smallest_group = 4", "smallest_group is 4; expected 5 or more"),
        (STUDY.replace("start = ", "start = 2099-01-01 #"), "end is"),
        (STUDY + "aproved = 1", "unknown key 'aproved'"),
        (STUDY + "[stduy]\n", r"unknown table \[stduy\]"),
        (STUDY + "[consent]\nagent = 'k1'", "one \\[\\[consent\\]\\] for each"),
        (STUDY + form("K 1"), "agent"),
        (STUDY + form("k1", version='""'), "version of k1 is empty"),
        (STUDY + form("k1", at="2026-01-01T00:00:00"), "at of k1 .* time with an offset"),
        (STUDY + form("k1") + form("k1"), "k1 signed twice"),
        (STUDY + form("k1", withdrawn="true"), "unknown key 'withdrawn'"),
        (STUDY + '[store]\nkind = "mongo"\n', "kind"),
        (STUDY + "[store]\npath = 3\n", "path"),
        ("store = 3\n" + STUDY, r"store is no table; expected \[store\]"),
        ("study = 3", r"study is no table; expected \[study\]"),
        (STUDY.replace("start = ", "start = 2026-01-01T09:00:00Z #"), "start"),
    ],
)
def test_a_mistake_names_file_key_and_remedy(tmp_path, text, says):
    (tmp_path / "study.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=says) as told:
        read_study(tmp_path)
    assert str(tmp_path / "study.toml") in str(told.value)
    assert "\n" not in str(told.value)


def test_the_newest_form_counts(tmp_path):
    text = STUDY + form("k1", at="2026-02-01T00:00:00Z", covers='["heart"]', version='"2"')
    text += form("k1", withdrawn_at="2026-01-15T00:00:00Z")  # a form of before, signed again since
    text += form("k2") + form("k2", at="2026-02-01T00:00:00Z", withdrawn_at="2026-02-02T00:00:00Z")
    (tmp_path / "study.toml").write_text(text, encoding="utf-8")
    found = read_study(tmp_path / "study.toml")
    assert found.grants.keys() == {"k1"}
    assert found.grants["k1"].covers == {"heart"}
    assert found.grants["k1"].version == "2"
    assert found.withdrawn == ("k2",)
    start = datetime.combine(found.study.start, datetime.min.time(), UTC)
    assert found.grants["k1"].start_at == max(start, datetime(2026, 2, 1, tzinfo=UTC) + LOOK_BACK)


def test_a_withdrawal_beside_an_older_form_counts(tmp_path):
    text = STUDY + form("k1", withdrawn_at="2026-03-01T00:00:00Z")
    text += form("k1", at="2026-02-01T00:00:00Z", version='"2"')
    (tmp_path / "study.toml").write_text(text, encoding="utf-8")
    found = read_study(tmp_path)
    assert not found.grants
    assert found.withdrawn == ("k1",)


def test_the_store_beside_the_file_is_found_from_anywhere(tmp_path):
    text = STUDY + '[store]\npath = "own.sqlite"\n'
    (tmp_path / "study.toml").write_text(text, encoding="utf-8")
    found = read_study(tmp_path)
    assert found.store is not None
    assert found.store.file() == tmp_path / "own.sqlite"


def test_the_key_is_made_once_and_only_its_owner_can_read_it(tmp_path):
    key = study_key(tmp_path)
    assert len(key) == 32
    assert study_key(tmp_path) == key
    path = tmp_path / "study.key"
    if os.name == "posix":
        assert path.stat().st_mode & 0o777 == 0o600
        path.chmod(0o640)
        with pytest.raises(StateError, match="chmod 600"):
            study_key(tmp_path)
        path.chmod(0o600)
    path.write_bytes(b"short")
    with pytest.raises(StateError, match="is damaged"):
        study_key(tmp_path)
    with pytest.raises(StateError, match="cannot make"):
        study_key(tmp_path / "nowhere")
