"""What a library says becomes one line of ours, with the library's own error behind it."""

from __future__ import annotations

import errno
import os

import pytest

from sqz_tf.base.console import run
from sqz_tf.base.errors import ConversionError, DataError, first_line, translated


def test_a_librarys_error_becomes_ours_on_one_line() -> None:
    with (
        pytest.raises(
            ConversionError, match=r"^x\.tflite cannot be compiled: no op; expected a net; mend it$"
        ) as caught,
        translated(ConversionError, "x.tflite cannot be compiled", expected="a net", fix="mend it"),
    ):
        raise ValueError("no op\nand a long tale")
    assert isinstance(caught.value.__cause__, ValueError)
    assert (caught.value.expected, caught.value.fix) == ("a net", "mend it")


def test_other_errors_pass_as_they_are() -> None:
    for error in (KeyError("a"), DataError("ours"), OSError("disk")):
        with pytest.raises(type(error)) as caught, translated(ConversionError, "it cannot be compiled"):
            raise error
        assert caught.value is error


def test_which_errors_are_translated_can_be_said() -> None:
    with (
        pytest.raises(DataError, match=r"^it cannot be read: 'a'$"),
        translated(DataError, "it cannot be read", of=(KeyError,)),
    ):
        raise KeyError("a")
    with pytest.raises(ValueError, match=r"^b$"), translated(DataError, "it cannot be read", of=(KeyError,)):
        raise ValueError("b")


def test_an_error_that_says_nothing_is_called_by_its_name() -> None:
    assert first_line(ValueError()) == "ValueError"
    assert first_line(ValueError("\nfirst\nsecond")) == "first"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (FileNotFoundError(errno.ENOENT, "No usable temporary directory found"), "the system refuses: No usable temp"),
        (OSError(errno.EAGAIN, os.strerror(errno.EAGAIN)), "the system refuses: Resource temporarily unavailable"),
        (RuntimeError("can't start new thread"), "the system refuses: no further thread can be started"),
        (MemoryError("Unable to allocate 3 GiB"), "there is too little memory (Unable to allocate 3 GiB)"),
        (OSError(errno.EACCES, "Permission denied", "a.txt"), "a.txt cannot be used (Permission denied)"),
        (ZeroDivisionError("ours"), "unforeseen ZeroDivisionError: ours; run it again with --debug"),
    ],
)
def test_what_the_system_refuses_is_no_fault_of_the_program(
    error: Exception, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def work() -> int:
        raise error

    assert run(work) == 1
    assert capsys.readouterr().err.startswith(f"error: {said}")
