"""The two errors that a command line turns into a sentence and an exit code."""

from __future__ import annotations

import errno

from videossr_verl.printable import printable


class BadInput(ValueError):
    """The error for input that cannot be used. Its message is one sentence: what is wrong, where, what to do."""

    def __str__(self) -> str:
        """Returns one printable line, because the message may hold somebody else's text."""
        return printable(super().__str__())


class MachineError(RuntimeError):
    """The error for a failure of the machine, not of the input. The same command goes on later. The message is one
    sentence.
    """


# The system's errors for which the machine is to blame: disks, quotas, rights, handles and memory that ran out, and
# storage that is gone.
MACHINE = frozenset(
    {
        errno.EACCES,
        errno.EDQUOT,
        errno.EFBIG,
        errno.EIO,
        errno.EMFILE,
        errno.ENFILE,
        errno.ENODEV,
        errno.ENOMEM,
        errno.ENOSPC,
        errno.ENOTCONN,
        errno.ENXIO,
        errno.EPERM,
        errno.EROFS,
        errno.ESTALE,
        errno.ETIMEDOUT,
    }
)


def machine_failure(error: OSError, place: object = None) -> str | None:
    """Returns what the machine failed at, in one sentence, or None if the error says nothing of the machine.

    Args:
        place: file or folder, for errors that name none, such as those of writing.
    """
    if error.errno not in MACHINE:
        return None
    where = error.filename if error.filename is not None else place
    message = error.strerror or str(error)
    named = f"'{where}': {message}" if where is not None else message
    return f"{named}; mend that, and the same command goes on from here"
