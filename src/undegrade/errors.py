"""The error class for problems that the user can solve."""


class UndegradeError(Exception):
    """A problem that the user can solve. The message is one sentence: what is wrong, and what to do.

    The command line prints the message without a traceback. Library users can catch this one class.
    """
