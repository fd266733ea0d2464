"""`gpunn doctor`: what works on this machine, and what to do about what does not."""

import gpunn
from gpunn.backend.doctor import report
from gpunn.cli.files import check_writable
from gpunn.cli.selftest import selftest
from gpunn.errors import ArgumentError, DeviceError


def register(commands, common) -> None:
    """Add the command's options."""
    parser = commands.add_parser(
        "doctor",
        parents=[common],
        help="what works on this machine: versions, BLAS, memory, CUDA",
        description="Print versions, BLAS and threads, memory and each thing that CUDA needs. The "
        "exit code is 1 if the device asked for (--device, else GPUNN_DEVICE, else cpu) cannot be "
        "used, or a test fails.",
    )
    parser.add_argument(
        "--selftest",
        action="store_true",
        help="compare every kernel of the GPU with its reference, and measure kernels, products "
        "and training steps on the CPU and the GPU; under two minutes",
    )
    parser.add_argument(
        "--out", metavar="FILE", help="what --selftest finds, to attach to a report: .json or text"
    )
    parser.set_defaults(run=run, checks_device=False)


def run(args) -> int:
    """Print the report."""
    check_writable(args.out, "--out")
    if args.out and not args.selftest:
        raise ArgumentError("--out is a file of what --selftest finds: give both")
    rows = report()
    width = max(len(row.name) for row in rows)
    for row in rows:
        print(f"{'ok' if row.ok else '--':<4}{row.name:<{width}}  {row.detail}")
        if not row.ok and row.fix:
            print(f"{'':<{width + 6}}{row.fix}")
    asked = args.device or str(gpunn.current_device())
    try:
        with gpunn.device(asked):
            print(f"\ndevice {asked!r} can be used")
    except DeviceError:
        print(f"\ndevice {asked!r} cannot be used")
        return 1
    if args.selftest:
        print()
        return selftest(args.out)
    return 0
