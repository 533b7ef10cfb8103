"""The errors that a command line turns into a sentence: BadInput with exit code 2, MachineError with 1."""


class BadInput(ValueError):
    """What the user gave cannot be used; the message is one sentence: what is wrong, where, what to do."""


class MachineError(RuntimeError):
    """The machine, not the input, failed; the same command goes on later."""
