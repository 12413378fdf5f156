"""The one kind of error a user is meant to read."""


class UndegradeError(Exception):
    """Something the user can put right. The message is one sentence: what is wrong, and what to do.

    The command line prints the message without a traceback; library users may catch this one class.
    """
