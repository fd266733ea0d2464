"""Machine code from LLVM's text, by llvmlite (the extra `fast`); kept on disk for later processes.

`GPUNN_FAST=0` does without.
"""

import contextlib
import ctypes
import os
import sys
import threading
from functools import cache
from pathlib import Path

import numpy as np

from gpunn.errors import KernelError

OLDEST = (0, 45)  # of llvmlite: pointers have no types since
_PROTOTYPE = ctypes.CFUNCTYPE(None, ctypes.c_void_p)  # a call of it lets other threads run
_lock = threading.Lock()
_made: dict = {}  # by text, the functions


def available() -> bool:
    """Whether code can be compiled here: llvmlite is installed, and wanted.

    >>> gpunn.backend.native.available() in (True, False)
    True
    """
    return os.environ.get("GPUNN_FAST") != "0" and not _problem()


def about() -> str:
    """Whether code can be compiled here, in words."""
    if problem := _problem():
        return f"{problem}: pip install 'gpunn[fast]' makes captured steps on the CPU faster"
    if not available():
        return "switched off by GPUNN_FAST=0"
    return f"llvmlite {_version()} compiles loops of captured steps on the CPU"


@cache
def _problem() -> str:
    """Why nothing can be compiled, or nothing."""
    if sys.maxsize < 1 << 32:
        return "not for 32 bits"
    version = _version()
    if not version:
        return "llvmlite is not installed"
    if tuple(map(int, version.split(".")[:2])) < OLDEST:
        return f"llvmlite {version} is too old"
    return ""


def _version() -> str:
    """The version of llvmlite that is installed, without importing it."""
    from importlib import metadata  # slow to import, as hashlib is

    try:
        return metadata.version("llvmlite")
    except metadata.PackageNotFoundError:
        return ""


def _digest(data: bytes) -> bytes:
    import hashlib

    return hashlib.sha256(data).digest()


class Block(ctypes.c_void_p):
    """What a compiled function reads: numbers and addresses, with what keeps them alive.

    Args:
        name: what the function is called in profiles.
        numbers: integers.
        arrays: those whose addresses are among the numbers.
    """

    def __init__(self, name: str, numbers, arrays):
        self.name = name
        self.numbers = np.array(numbers, np.int64)
        self.arrays = arrays
        super().__init__(self.numbers.ctypes.data)


def compiled(text: str):
    """The function `void kernel(ptr)` of a module in LLVM's text, compiled once in a process.

    Raises:
        KernelError: LLVM does not take the text.
    """
    with _lock:
        found = _made.get(text)
        if found is None:
            found = _made[text] = _PROTOTYPE(_compiler().address_of(text))
        return found


class _Compiler:
    """LLVM for this machine's CPU."""

    def __init__(self):
        import llvmlite.binding as llvm

        self._llvm = llvm
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        cpu, features = llvm.get_host_cpu_name(), ""
        with contextlib.suppress(RuntimeError):  # not every CPU tells
            features = llvm.get_host_cpu_features().flatten()
        target = llvm.Target.from_default_triple()
        self._machine = target.create_target_machine(cpu=cpu, features=features, opt=3)
        self._about = f"{_version()} {llvm.llvm_version_info} {cpu} {features}"
        self._jit = llvm.create_lljit_compiler()
        self._loaded: list = []  # what holds the code

    def address_of(self, text: str) -> int:
        """Where the code of a text's `kernel` is."""
        key = _digest(f"{self._about}\n{text}".encode()).hex()
        code = _kept(key)
        if code is None:
            code = self._compile(text)
            _keep(key, code)
        library = self._llvm.JITLibraryBuilder().add_current_process().add_object_img(code)
        self._loaded.append(library.export_symbol("kernel").link(self._jit, key))
        return self._loaded[-1]["kernel"]

    def _compile(self, text: str) -> bytes:
        llvm = self._llvm
        try:
            module = llvm.parse_assembly(text)
        except RuntimeError as e:
            raise KernelError(f"LLVM does not take this text: {e}\n{text}") from e
        options = llvm.create_pipeline_tuning_options(speed_level=3)
        options.loop_vectorization = True
        passes = llvm.create_pass_builder(self._machine, options)
        passes.getModulePassManager().run(module, passes)
        return self._machine.emit_object(module)


_compiler = cache(_Compiler)


def folder() -> Path:
    """Where code is kept: `$XDG_CACHE_HOME/gpunn/native`, by default in `~/.cache`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gpunn" / "native"


def _kept(key: str) -> bytes | None:
    """The code that an earlier process kept; None if there is none, or it is damaged."""
    try:
        found = (folder() / key).read_bytes()
    except (OSError, RuntimeError):  # RuntimeError: there is no home
        return None
    code, digest = found[:-32], found[-32:]
    return code if _digest(code) == digest else None


def _keep(key: str, code: bytes) -> None:
    """Keep code for later processes, where a folder can be written."""
    with contextlib.suppress(OSError, RuntimeError):
        place = folder()
        place.mkdir(parents=True, exist_ok=True)
        draft = place / f"{key}.{os.getpid()}.{threading.get_ident()}"
        draft.write_bytes(code + _digest(code))
        draft.replace(place / key)
