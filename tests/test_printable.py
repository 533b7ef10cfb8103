"""Text of others reaches a terminal as pictures only."""

import io
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videossr_verl.cli import main
from videossr_verl.errors import BadInput
from videossr_verl.printable import printable, shortened, tell, without_colours
from videossr_verl.video.rejected import RejectReason, VideoRejected

COMMANDS = "\x1b]0;owned\x07\x9b2J\r\n\u202e\ud800"


@given(st.text(st.characters()))
def test_nothing_but_pictures_and_a_reader_can_tell_what_it_was(text):
    shown = printable(text)
    assert shown.isprintable()
    shown.encode()
    assert all(unicodedata.category(c)[0] != "C" for c in shown)
    if text.isprintable():
        assert shown == text


def test_a_table_keeps_its_lines():
    screen = io.StringIO()
    tell(f"a{COMMANDS}\nb", screen)
    assert screen.getvalue() == "a\\x1b]0;owned\\x07\\x9b2J\\r\n\\u202e\\ud800\nb\n"


def test_errors_are_printable_wherever_they_are_printed():
    for error in (BadInput(COMMANDS), VideoRejected(RejectReason.MISSING, COMMANDS)):
        assert str(error).isprintable()


def test_colours_go():
    assert without_colours("\x1b[36mray::Worker\x1b[39m (pid=3)\x1b[0m") == "ray::Worker (pid=3)"


@pytest.mark.parametrize("length", [1, 9, 10, 11, 1000])
def test_the_ends_of_a_long_text_stay(length):
    text = "a" + "b" * (length - 2) + "c" * (length > 1)
    short = shortened(text, 10)
    assert len(short) <= 13
    assert (short[0], short[-1]) == (text[0], text[-1])


def test_a_file_name_with_commands_is_shown_by_a_verb(tmp_path, capsys):
    assert main(["attack", str(tmp_path / f"x{COMMANDS[:-1]}.parquet")]) == 2
    shown = capsys.readouterr().err
    assert shown.rstrip("\n").isprintable()
    assert "owned" in shown
