"""The command line: `gpunn train | predict | evaluate | info | bench | doctor`."""

import argparse
import os
import sys
import traceback

import gpunn
from gpunn.cli import bench, doctor, evaluate, info, predict, train
from gpunn.errors import GpunnError

COMMANDS = (train, predict, evaluate, info, bench, doctor)
FAILED, USAGE, INTERRUPTED = 1, 2, 130

__all__ = ["main"]


def main(argv: list[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: its words; default: those of the process.

    Returns:
        The exit code: 0; 1 after an error, which is one line on the standard error; 2 after a
        wrong usage; 130 after Ctrl-C.

    >>> gpunn.cli.main(["train", "iris", "--epochs", "1", "--device", "cpu", "--quiet"])
    data      iris: 120 rows to train on, the last 10% of them for validation; 30 held out
    ...
    0
    """
    parser = _parser()
    try:
        args = parser.parse_args(argv)
    except SystemExit as e:  # argparse has said what is wrong, or what was asked for
        return int(e.code or 0)
    if args.command is None:
        parser.print_help()
        return USAGE
    try:
        if not args.checks_device:
            return args.run(args)
        with gpunn.device(args.device or gpunn.current_device()):
            return args.run(args)
    except KeyboardInterrupt:
        return _fail("interrupted", INTERRUPTED)
    except BrokenPipeError:  # whoever read the output, such as `head`, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as e:
        if args.debug:
            traceback.print_exc()
        if isinstance(e, GpunnError | OSError):
            return _fail(f"error: {e}", FAILED)
        return _fail(f"internal error (--debug shows where): {type(e).__name__}: {e}", FAILED)


def _fail(message: str, code: int) -> int:
    sys.stdout.flush()
    print(f"gpunn: {' '.join(message.split())}", file=sys.stderr)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gpunn",
        description="Neural networks on NumPy and CuPy. `gpunn train digits` is a good start.",
        epilog="`gpunn COMMAND --help` tells more about each.",
    )
    parser.add_argument("--version", action="version", version=f"gpunn {gpunn.__version__}")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--device",
        metavar="NAME",
        help="cpu, cuda, cuda:N or auto (default: GPUNN_DEVICE, else cpu)",
    )
    common.add_argument("--debug", action="store_true", help="show where an error comes from")
    parser.set_defaults(checks_device=True, debug=False)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for command in COMMANDS:
        command.register(commands, common)
    return parser
