"""The contract between ops and a device: what a primitive's `be` can do.

Everything here is written once against `self.xp`; `numpy_.py` and `cupy_.py` fill in what differs.
"""

from gpunn.backend.device import Device
from gpunn.backend.dtypes import standardize
from gpunn.backend.random import Stream


class Backend:
    """Arrays of one device: `xp` is the array module (numpy or cupy), `device` where they lie."""

    xp: object
    array_type: type
    device: Device

    def __init__(self, device: Device):
        self.device = device
        self.kind = device.kind
        self.name = str(device)
        self._constants = {}

    def __repr__(self) -> str:
        return f"<backend {self.name}>"

    # --- making arrays ---

    def empty(self, shape, dtype):
        return self.xp.empty(shape, dtype)

    def zeros(self, shape, dtype):
        return self.xp.zeros(shape, dtype)

    def full(self, shape, value, dtype):
        return self.xp.full(shape, value, dtype)

    def ones(self, n: int, dtype):
        """A cached vector of n ones: `be.dot(be.ones(n, dtype), x)` is the fast sum over rows."""
        dtype = standardize(dtype)
        return self.const(("ones", n, dtype.char), lambda be: be.xp.ones(n, dtype))

    def const(self, key, make):
        """The constant `make(self)`, made once per key: the key says all that it depends on."""
        found = self._constants.get(key)
        if found is None:
            found = self._constants[key] = make(self)
        return found

    def copy(self, x):
        return x.copy()

    # --- products, gathers, scatters ---

    def matmul(self, a, b, out=None):
        return self.xp.matmul(a, b, out=out)

    def dot(self, a, b, out=None):
        return self.xp.dot(a, b, out)

    def take(self, x, indices, axis=0):
        return self.xp.take(x, indices, axis)

    def copyto(self, dst, src):
        self.xp.copyto(dst, src)

    # --- random numbers: the same bits on every device ---

    def random_uint32(self, stream: Stream, shape):
        """The stream's next uniform 32-bit integers; the stream moves on by one draw."""
        raise NotImplementedError

    def uniform(self, stream: Stream, shape, dtype="float32"):
        """The stream's next uniform floats in [0, 1): 24 random bits each (float64: 53)."""
        raise NotImplementedError

    # --- moving ---

    def asarray(self, data, dtype=None):
        """An array of this device: the data itself where it lies here already."""
        raise NotImplementedError

    def to_numpy(self, x):
        raise NotImplementedError

    def address(self, x) -> tuple[int, int]:
        """The memory range [low, high) that the array's elements lie in."""
        raise NotImplementedError

    def synchronize(self) -> None:
        """Wait until everything asked of the device is done."""
