"""``undegrade serve``: the local page, and the service behind it."""

from __future__ import annotations

import argparse
import os

from undegrade.cli.arguments import Real, Whole
from undegrade.errors import UndegradeError

HELP = "open a web page that compares, adjusts and saves restorations; programs can call the service behind it"


EXAMPLES = """examples:
  undegrade serve                                        then open the address that it prints
  undegrade serve --port 0                               on a free port
  undegrade serve --host 0.0.0.0                         for the whole network; prints the token that is then needed
"""

TOKEN = "UNDEGRADE_TOKEN"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    where = parser.add_argument_group("address")
    where.add_argument("--host", default="127.0.0.1", metavar="H", help="address to listen on (default: 127.0.0.1)")
    where.add_argument(
        "--port",
        type=Whole("--port", 0, 65535),
        default=8000,
        metavar="N",
        help="port, 0 for a free one (default: 8000)",
    )
    where.add_argument(
        "--token", metavar="T",
        help="every call must send this token, of at least 16 characters, as Authorization: Bearer T (default: that of "
        f"the environment variable {TOKEN}; else with --host a new one, which is printed, and without --host none)",
    )  # fmt: skip
    where.add_argument(
        "--server-name", action="append", default=[], metavar="NAME",
        help="a further host name under which the service is called, e.g. behind a proxy; may be repeated",
    )  # fmt: skip
    limits = parser.add_argument_group("limits")
    limits.add_argument(
        "--max-bytes",
        type=Real("--max-bytes", 1e-6, 1e6),
        default=200,
        metavar="MB",
        help="refuse files of more than MB megabytes (default: 200)",
    )
    limits.add_argument(
        "--max-pixels",
        type=Real("--max-pixels", 1e-6, 1e6),
        default=100,
        metavar="M",
        help="refuse pictures of more than M million pixels (default: 100)",
    )
    limits.add_argument("--max-seconds", type=Real("--max-seconds", 0, 1e9), default=900, metavar="S",
        help="stop a picture that takes longer than S seconds (default: 900)",
    )  # fmt: skip
    limits.add_argument(
        "--max-memory",
        type=Real("--max-memory", 1e-6, 1e6),
        default=6,
        metavar="GB",
        help="stop a picture for which the worker needs more than GB gigabytes, on Linux (default: 6)",
    )
    limits.add_argument(
        "--max-silence",
        type=Real("--max-silence", 0, 1e9),
        default=20,
        metavar="S",
        help="end the call of a client that sends nothing for S seconds (default: 20)",
    )
    limits.add_argument("--max-queue", type=Whole("--max-queue", 1), default=16, metavar="N",
        help="refuse a picture while N others wait (default: 16)",
    )  # fmt: skip
    parser.add_argument("--device", metavar="D", help="cpu, cuda, ... (default: a GPU if there is one)")
    parser.add_argument("--log-names", action="store_true", help="name pictures in the lines that are printed")


def run(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C.

    Raises:
        UndegradeError: the extra ``serve`` is not installed, or the address, the token or a limit cannot be used.
    """
    try:
        from undegrade.serve import server
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "undegrade":
            raise
        raise UndegradeError(f"the page needs {error.name}; run: pip install 'undegrade[serve]'.") from error
    from undegrade.serve.limits import Limits

    limits = Limits(
        bytes=int(args.max_bytes * 1e6),
        pixels=int(args.max_pixels * 1e6),
        queue=args.max_queue,
        seconds=args.max_seconds,
        patience=args.max_silence,
        memory=int(args.max_memory * 1e9),
    )
    return server.run(
        args.host, args.port, token=args.token or os.environ.get(TOKEN) or None, names=args.server_name,
        limits=limits, device=args.device, log_names=args.log_names,
    )  # fmt: skip
