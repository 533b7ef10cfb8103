"""The one error that a command line turns into a sentence and exit code 2."""


class BadInput(ValueError):
    """What the user gave cannot be used; the message is one sentence: what is wrong, where, what to do."""
