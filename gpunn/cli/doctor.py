"""`gpunn doctor`: what works on this machine, and what to do about what does not."""

import gpunn
from gpunn.backend.doctor import report
from gpunn.errors import DeviceError


def register(commands, common) -> None:
    """Add the command's options."""
    parser = commands.add_parser(
        "doctor",
        parents=[common],
        help="what works on this machine: versions, BLAS, memory, CUDA",
        description="Print versions, BLAS and threads, memory and each thing that CUDA needs. The "
        "exit code is 1 if the device asked for (--device, else GPUNN_DEVICE, else cpu) cannot be "
        "used.",
    )
    parser.set_defaults(run=run, checks_device=False)


def run(args) -> int:
    """Print the report."""
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
    return 0
