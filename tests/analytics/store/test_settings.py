"""``[store]``: what is refused, and what never shows."""

from pathlib import Path

import pytest

from analytics.store.opening import open_store
from analytics.store.settings import StoreSettings
from sensors import config
from sensors.errors import ConfigurationError


@pytest.mark.parametrize(
    ("values", "words"),
    [
        pytest.param({"kind": "mysql"}, r"\[store\] kind is 'mysql'", id="kind"),
        pytest.param({"url": "127.0.0.1:8086"}, r"\[store\] url is '127", id="no scheme"),
        pytest.param({"url": "http://[::1"}, r"\[store\] url is", id="not an address"),
        pytest.param({"url": "http://h:99999"}, r"\[store\] url is", id="port"),
        pytest.param({"url": "http://db.example:8086"}, "must be https", id="not encrypted"),
        pytest.param({"timeout_s": 0}, "timeout_s is 0", id="timeout"),
        pytest.param({"raw_days": 0}, "raw_days is 0; expected 1 or more", id="days"),
        pytest.param({"database": "a/b"}, "database is 'a/b'", id="database"),
        pytest.param({"database": ""}, "database is ''", id="no database"),
        pytest.param({"token": "abc"}, r"set WELLBEING_STORE_TOKEN or token_file", id="token"),
    ],
)
def test_a_wrong_value_is_named(values, words):
    with pytest.raises(ConfigurationError, match=words):
        config.section({"store": values}, "store", StoreSettings, environ={})


def test_a_password_in_the_address_is_refused_and_not_shown():
    with pytest.raises(ConfigurationError, match="use username and password_file") as refused:
        StoreSettings(url="https://me:hunter2@db.example")
    assert "hunter2" not in str(refused.value)


def test_secrets_come_from_the_environment_or_a_tight_file_and_are_not_shown(tmp_path):
    file = tmp_path / "token"
    file.write_text("tok-en\n")
    file.chmod(0o600)
    settings = config.section(
        {"store": {"token_file": str(file)}},
        "store",
        StoreSettings,
        environ={"WELLBEING_STORE_PASSWORD": "hunter2"},
    )
    assert (settings.token, settings.password) == ("tok-en", "hunter2")
    assert "tok-en" not in repr(settings)
    assert "hunter2" not in repr(settings)


def test_with_no_path_the_file_lies_where_the_system_keeps_data(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setattr("sys.platform", "linux")
    store = open_store(StoreSettings())
    assert (tmp_path / "agent-wellbeing" / "store.sqlite").is_file()
    store.close()
    assert StoreSettings(path="~/x").file() == Path.home() / "x"
