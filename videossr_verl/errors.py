"""The one error that a command line turns into a sentence and exit code 2."""

from videossr_verl.printable import printable


class BadInput(ValueError):
    """What the user gave cannot be used; the message is one sentence: what is wrong, where, what to do."""

    def __str__(self) -> str:
        """One printable line: what is wrong may be somebody else's text."""
        return printable(super().__str__())
