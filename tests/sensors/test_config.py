"""Configuration: every mistake is one line that names table, key, value and remedy."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensors import config
from sensors.config import BrokerSettings
from sensors.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One key of each type a table may have."""

    name: str = "x"
    count: int = 1
    share: float = 0.5
    switch: bool = False
    words: tuple[str, ...] = ()
    limit: int | None = None
    tables: dict[str, int] = field(default_factory=dict)
    token: str = field(default="", repr=False)
    token_file: str = ""


def load(tmp_path, text):
    path = tmp_path / "wellbeing.toml"
    path.write_text(text, encoding="utf-8")
    return config.read_file(path)


def edge(tables, environ=None, **overrides):
    return config.section(tables, "edge", Settings, environ or {}, **overrides)


def error_of(act):
    with pytest.raises(ConfigurationError) as caught:
        act()
    text = str(caught.value)
    assert "\n" not in text.strip()
    return text


def test_an_empty_file_takes_every_default(tmp_path):
    assert edge(load(tmp_path, "")) == Settings()


def test_the_file_is_typed(tmp_path):
    text = '[edge]\nname="y"\ncount=2\nshare=1\nswitch=true\nwords=["a"]\nlimit=3\ntables={a=1}'
    expected = Settings(
        name="y", count=2, share=1.0, switch=True, words=("a",), limit=3, tables={"a": 1}
    )
    assert edge(load(tmp_path, text)) == expected


def test_command_line_wins_over_environment_wins_over_file(tmp_path):
    tables = load(tmp_path, "[edge]\ncount = 1\nshare = 0.1\nname = 'file'")
    environ = {"WELLBEING_EDGE_COUNT": "2", "WELLBEING_EDGE_SHARE": "0.2"}
    found = edge(tables, environ, share=0.3, name=None)
    assert (found.name, found.count, found.share) == ("file", 2, 0.3)


@pytest.mark.parametrize(
    ("variable", "text", "key", "value"),
    [
        ("COUNT", "7", "count", 7),
        ("SHARE", "0.25", "share", 0.25),
        ("SWITCH", "True", "switch", True),
        ("SWITCH", "0", "switch", False),
        ("WORDS", "a, b ,", "words", ("a", "b")),
        ("LIMIT", "9", "limit", 9),
        ("TOKEN", "secret", "token", "secret"),
    ],
)
def test_every_value_can_come_from_the_environment(variable, text, key, value):
    assert getattr(edge({}, {f"WELLBEING_EDGE_{variable}": text}), key) == value


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("[edge]\nnmae = 'x'", ["[edge]", "nmae", "did you mean 'name'"]),
        ("[edge]\nzzz = 1", ["[edge]", "zzz", "known: name, count"]),
        ("[edge]\ncount = 'many'", ["[edge]", "count", "'many'", "a whole number"]),
        ("[edge]\ncount = 1.5", ["[edge]", "count", "1.5", "a whole number"]),
        ("[edge]\nswitch = 'yes'", ["[edge]", "switch", "'yes'", "true or false"]),
        ("[edge]\nwords = 'a'", ["[edge]", "words", "'a'", "a list"]),
        ("[edge]\nwords = [1]", ["[edge]", "words", "text"]),
        ("[edge]\nname = 2026-01-01", ["[edge]", "name", "text"]),
        ("[edge]\ntables = {a = 'x'}", ["[edge]", "tables", "a whole number"]),
    ],
)
def test_a_wrong_key_type_or_value_is_named(tmp_path, text, parts):
    found = error_of(lambda: edge(load(tmp_path, text)))
    for part in parts:
        assert part in found


@pytest.mark.parametrize(
    ("variable", "text", "expected"),
    [
        ("COUNT", "many", "a whole number"),
        ("SHARE", "half", "a number"),
        ("SWITCH", "maybe", "true or false"),
        ("LIMIT", "x", "a whole number"),
        ("TABLES", "a=1", "set it in the file"),
    ],
)
def test_a_wrong_variable_is_named(variable, text, expected):
    found = error_of(lambda: edge({}, {f"WELLBEING_EDGE_{variable}": text}))
    assert f"WELLBEING_EDGE_{variable}" in found
    assert expected in found


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("[brocker]\nport = 1", "unknown table [brocker]; did you mean 'broker'?"),
        ("port = 1", "unknown table [port]"),
        ("edge = 1", "[edge] is 1; expected a table"),
        ("[edge", "is not valid TOML"),
        ("[edge]\n[edge]", "is not valid TOML"),
    ],
)
def test_a_wrong_file_is_named(tmp_path, text, part):
    found = error_of(lambda: load(tmp_path, text))
    assert part in found
    assert "wellbeing.toml" in found


def test_files_that_cannot_be_read_are_named(tmp_path):
    assert "cannot read" in error_of(lambda: config.read_file(tmp_path / "none.toml"))
    assert "cannot read" in error_of(lambda: config.read_file(tmp_path))
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    assert "not valid TOML" in error_of(lambda: config.read_file(tmp_path / "bytes.toml"))


@pytest.mark.parametrize("port", ["0", "65536", "-1"])
def test_a_port_out_of_range_is_named(port):
    def act():
        config.section({}, "broker", BrokerSettings, {"WELLBEING_BROKER_PORT": port})

    assert f"[broker] port is {port}; expected 1 to 65535" in error_of(act)


SECRET = "correct-horse-battery"


def test_a_secret_in_the_file_is_refused_and_not_shown(tmp_path):
    tables = load(tmp_path, f"[edge]\ntoken = '{SECRET}'")
    found = error_of(lambda: edge(tables))
    assert SECRET not in found
    assert "WELLBEING_EDGE_TOKEN" in found
    assert "token_file" in found


def test_a_secret_comes_from_a_private_file(tmp_path):
    path = tmp_path / "token"
    path.write_text(f"{SECRET}\nsecond line\n")
    path.chmod(0o600)
    assert edge({"edge": {"token_file": str(path)}}).token == SECRET
    environ = {"WELLBEING_EDGE_TOKEN": "from the environment"}
    assert edge({"edge": {"token_file": str(path)}}, environ).token == "from the environment"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o777])
def test_a_secret_that_others_can_read_is_refused(tmp_path, mode):
    path = tmp_path / "token"
    path.write_text(SECRET)
    path.chmod(mode)
    found = error_of(lambda: config.read_secret(path))
    assert f"chmod 600 {path}" in found
    assert SECRET not in found


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "holds no secret"), (b"\n", "holds no secret"), (b"\xff\xfe", "not text in UTF-8")],
)
def test_a_file_without_a_secret_is_named(tmp_path, content, words):
    path = tmp_path / "token"
    path.write_bytes(content)
    path.chmod(0o600)
    assert words in error_of(lambda: config.read_secret(path))


def test_a_missing_secret_file_is_named(tmp_path):
    path = tmp_path / "none"
    assert f"cannot read {path}" in error_of(lambda: edge({"edge": {"token_file": str(path)}}))


def test_a_secret_is_in_no_repr_and_no_error():
    found = edge({}, {"WELLBEING_EDGE_TOKEN": SECRET})
    assert SECRET not in repr(found)
    assert SECRET not in error_of(lambda: edge({}, {"WELLBEING_EDGE_TOKEN": SECRET}, count="x"))
    assert SECRET not in error_of(lambda: edge({}, token=[SECRET]))
    broker = BrokerSettings(password=SECRET)
    assert SECRET not in f"{broker!r} {broker}"


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_configuration_or_one_line(tmp_path_factory, data):
    path = Path(tmp_path_factory.getbasetemp()) / "fuzz.toml"
    path.write_bytes(b"[edge]\n" + data)
    try:
        edge(config.read_file(path))
    except ConfigurationError as error:
        assert str(error)  # noqa: PT017 - either outcome is right
