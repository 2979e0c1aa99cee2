"""`firmware-bridge vectors`: what another implementation writes, checked byte by byte."""

import json

import pytest

from firmware_bridge.cli import main
from firmware_bridge.protocol import vectors


def run(capsys, *arguments):
    code = main(["vectors", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_all_are_printed_and_verify_themselves(capsys, tmp_path):
    code, out, _ = run(capsys, "--json")
    assert code == 0
    assert json.loads(out) == vectors.load()
    mine = tmp_path / "mine.json"
    mine.write_text(out)
    code, said, err = run(capsys, "--verify", mine)
    assert (code, err) == (0, "")
    assert said.endswith(" 0 differ; 0 of our messages are not among them\n")
    count = sum(len(vectors.load()[part]) for part in ("messages", "refused", "values", "streams"))
    assert said.startswith(f"{count} vectors checked")


def test_printed_lines_are_read_back(capsys, tmp_path):
    _, out, _ = run(capsys, "--part", "messages")
    mine = tmp_path / "mine.txt"
    mine.write_text("# what my encoder writes\n\n" + out.replace(": ", " = ").upper().lower())
    code, said, _ = run(capsys, "--verify", mine, "--json")
    assert (code, json.loads(said)["findings"]) == (0, [])
    assert json.loads(said)["checked"] == len(vectors.load()["messages"])


def test_the_first_byte_that_differs_is_named(capsys, tmp_path):
    hello = next(e for e in vectors.load()["messages"] if e["name"] == "hello, typical")
    wrong = bytearray.fromhex(hello["wire"])
    wrong[9] ^= 0xFF
    mine = tmp_path / "mine.txt"
    mine.write_text(f"hello, typical: {wrong.hex(' ')}\n")
    code, out, err = run(capsys, "--verify", mine)
    assert code == 3
    right = bytes.fromhex(hello["wire"])
    assert f"messages: hello, typical: byte 9 is {wrong[9]:02x}, expected {right[9]:02x}" in out
    assert err == f"firmware-bridge: 1 of 1 vectors in {mine} differ; see hardware.md\n"
    mine.write_text(f"hello, typical: {hello['wire'][:-2]}\n")
    assert (
        f"ends after {len(right) - 1} bytes, expected {len(right)}"
        in run(capsys, "--verify", mine)[1]
    )


def test_vectors_with_other_fields_are_checked_for_what_they_say(capsys, tmp_path):
    """Another implementation may send other fields: then the bytes must say the same."""
    entry = dict(vectors.load()["messages"][1]) | {"name": "mine"}
    mine = tmp_path / "mine.json"
    mine.write_text(json.dumps({"messages": [entry]}))
    assert run(capsys, "--verify", mine)[0] == 0
    mine.write_text(json.dumps({"messages": [entry | {"counter": 9}]}))
    code, out, _ = run(capsys, "--verify", mine)
    assert (code, "messages: mine: is of type 1 with counter 1" in out) == (3, True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is no JSON"),
        ("{}", "holds none of messages, refused, values, streams"),
        ('{"messages": 3}', "each of messages, refused, values, streams is a list of objects"),
        ('{"streams": [], "messages": [1]}', "is a list of objects; see: firmware-bridge vectors"),
        ("hello, typical: 0a0", "expected NAME: HEX"),
        ("nothing like it: 0a00", "expected NAME: HEX with a name that firmware-bridge vectors"),
    ],
)
def test_a_file_that_holds_no_vectors(capsys, tmp_path, text, words):
    mine = tmp_path / "mine"
    mine.write_text(text)
    code, _, err = run(capsys, "--verify", mine)
    assert code == 2
    assert words in err
    assert err.count("\n") == 1


def test_wrong_arguments(capsys, tmp_path):
    code, _, err = run(capsys, "--part", "frames")
    assert (code, "--part is 'frames'; expected one of: messages" in err) == (2, True)
    code, _, err = run(capsys, "--verify", tmp_path / "none")
    assert (code, "none; No such file or directory" in err) == (2, True)
