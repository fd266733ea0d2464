"""primitive: from a function on raw arrays, with its pullback, to a differentiable op.

An op's call (`apply`) takes the arrays out of its operands, runs the body on them, or a kernel that
stands for it, and wraps the result as a tensor; if an operand requires a gradient, `_record` gives
the result a node. Operands that are all tensors of one device and dtype take the short way through
`apply`; `_prepare` brings others into that form.
"""

import inspect
import re
from functools import update_wrapper

import numpy as np

from gpunn.autograd.autocast import CastWeight, cast_weights, in_use
from gpunn.autograd.clock import tick
from gpunn.autograd.late import LateTensor
from gpunn.autograd.mode import grad_enabled, observers
from gpunn.autograd.node import Node, Pick
from gpunn.autograd.symbolic import KerasTensor, call
from gpunn.autograd.tensor import Tensor, wrap
from gpunn.backend import BY_TYPE, Device, backend_of, is_array, to_array
from gpunn.backend.dtypes import is_float, result_type, standardize
from gpunn.backend.kernels import choose, table
from gpunn.backend.late import Late, made
from gpunn.errors import (
    ArgumentError,
    ArgumentTypeError,
    DeviceError,
    DTypeError,
    GpunnError,
    OutOfRangeError,
    ShapeError,
    unknown,
)
from gpunn.guard import RAW

_new = object.__new__
_SCALARS = (float, int, bool)
primitives: dict[str, object] = {}


def primitive(body=None, *, promote=None, late=False):
    """Make an op of `body(be, *operands, /, **static) -> (result, pullback)`.

    The result is a function of tensors (or arrays, lists, scalars) that gives tensors.

    Args:
        body: gets the backend of its operands, the operands as raw arrays (Python scalars and None
            stay as they are) and the static parameters. It returns an array or a tuple of arrays,
            and `pullback(dy, needs) -> one gradient per operand`, or None if it has no gradient.
        promote: "same" casts the operands to their common dtype first, "float" to a common float;
            "first" does too, but the result, and dy with it, has the dtype of the first operand, if
            it is a float; beside halves the body may get operands of float32.
        late: whether it has kernels that take operands as `Late`.

    >>> @gpunn.primitive
    ... def cube(be, x, /):
    ...     return x * x * x, lambda dy, needs: (3 * x * x * dy,)
    >>> x = gpunn.Tensor([2.0], requires_grad=True)
    >>> cube(x).backward()
    >>> x.grad.numpy()
    array([12.], dtype=float32)
    """
    if promote not in (None, "same", "float", "first"):
        raise ArgumentError(f"promote must be None, 'same', 'float' or 'first', not {promote!r}")
    if body is None:
        return lambda body: primitive(body, promote=promote, late=late)
    op = body.__name__
    names, static_names, defaults, signature, variadic = _parameters(body)
    count = len(names)
    kernels = table(op)
    tensor = Tensor
    by_type = BY_TYPE
    widens = promote == "first"  # float32 may stand beside halves as it is

    def apply(*operands, **static):
        if len(operands) != count and not variadic:
            operands = _bind(op, operands, static, names, static_names, defaults)
        if in_use:
            operands = cast_weights(operands)
        kind = dtype = None  # array type and dtype of the first tensor
        odd = wants = waits = False  # needs preparing; requires a gradient; a `Late` among them
        arrays = []
        for x in operands:
            if isinstance(x, tensor):
                if late and type(x) is LateTensor:
                    waits, a = True, x.late
                    of = a.kind
                else:
                    a = x.array
                    of = type(a)
                if x.requires_grad:
                    wants = True
                if kind is None:
                    kind, dtype = of, a.dtype
                elif of is not kind:
                    odd = True
                elif promote is not None and a.dtype is not dtype:
                    odd = odd or not (widens and a.dtype.char == "f" and _is_half(dtype))
                arrays.append(a)
            else:
                if x is not None and type(x) not in _SCALARS:
                    odd = True
                arrays.append(x)
        be = by_type.get(kind)
        if not odd and promote is not None and dtype is not None and dtype.kind != "f":
            odd = not (widens and _is_half(dtype))
        if odd or be is None:  # the long way
            if KerasTensor in map(type, operands):
                return call(apply, operands, static)
            operands, arrays, be, dtype, narrow = _prepare(op, names, operands, promote)
        else:
            narrow = None
        try:
            run = choose(kernels, body, be, dtype, arrays, static) if kernels else body
            if waits and (observers or not getattr(run, "late", False)):
                arrays = [*map(made, arrays)]
            if narrow is not None:
                run = _narrowed(run, narrow)
            y, pull = run(be, *arrays, **static)
        except GpunnError:
            raise
        except RAW as e:
            raise _explain(e, op, arrays, static, static_names) from e
        except ImportError as e:
            raise _without_library(e, op) from e
        if wants and pull is not None and grad_enabled.get():
            return _record(be, operands, static, y, pull)
        if observers:
            _observe(op, be, arrays, y)
        if type(y) is tuple:
            return tuple([wrap(v if is_array(v) else be.wrap(v)) for v in y])
        if type(y) is not be.array_type:
            y = be.wrap(y)
        t = _new(tensor)  # `wrap(y)`, without the call
        t.array = y
        t.node = None
        t.requires_grad = False
        t._grad = None
        return t

    def _record(be, operands, static, y, pull):
        """The result as tensors with a node."""
        if observers:
            _observe(op, be, [x.array if isinstance(x, tensor) else x for x in operands], y)
        parents = []
        needs = []
        held = []  # operands without a gradient: what it takes to do the op again
        for x in operands:
            if isinstance(x, tensor) and x.requires_grad:
                parents.append(x.node or x.leaf)
                needs.append(True)
                held.append(x.dtype if type(x) is CastWeight else None)
            else:
                parents.append(None)
                needs.append(False)
                held.append(x)
        if type(y) is Late and not all(type(p) is Node for p in parents if p is not None):
            y = y.made()  # a leaf may be changed before the sum is made
        recipe = (apply, held, static)
        if type(y) is tuple:
            return _record_several(op, be, tuple(parents), tuple(needs), y, pull, recipe)
        if type(y) is not be.array_type and type(y) is not Late:
            y = be.wrap(y)
        t = _new(tensor if type(y) is not Late else LateTensor)
        t.array = y
        t._grad = None
        if y.dtype.kind == "f" or is_float(y.dtype):
            parents, needs = tuple(parents), tuple(needs)
            t.node = Node(tick(), op, pull, parents, needs, y.shape, y.dtype, recipe)
            t.requires_grad = True
            for observer in observers:
                observer.recorded(t.node)
        else:
            t.node = None
            t.requires_grad = False
        return t

    update_wrapper(apply, body)
    del apply.__wrapped__
    apply.__signature__ = signature
    apply.body = body
    apply.promote = promote
    primitives[op] = apply
    return apply


def _is_half(dtype) -> bool:
    return dtype.itemsize == 2 and is_float(dtype)


def _parameters(body):
    """Names of operands and static parameters, operands' defaults, public signature, variadic.

    Read off the code: `inspect.signature` of every op took a third of the time of importing them.
    """
    body = inspect.unwrap(body)
    code = body.__code__
    names, count, before_slash = code.co_varnames, code.co_argcount, code.co_posonlyargcount
    keywords = names[count : count + code.co_kwonlyargcount]
    variadic = bool(code.co_flags & inspect.CO_VARARGS)
    operands = names[1:before_slash]
    static = (*names[before_slash:count], *keywords)
    if variadic:
        operands = (names[count + len(keywords)],)
    if not operands:
        raise ArgumentError(
            f"primitive {body.__name__} has no operands: write them before a '/', "
            "as in `def f(be, x, /, axis=None)`, or several as `def f(be, /, *xs, axis=0)`"
        )
    given = body.__defaults__ or ()
    defaults = dict(zip(names[count - len(given) : count], given, strict=True))
    defaults.update(body.__kwdefaults__ or {})
    kinds = dict.fromkeys(names[:count], inspect.Parameter.POSITIONAL_OR_KEYWORD)
    kinds.update(dict.fromkeys(keywords, inspect.Parameter.KEYWORD_ONLY))
    if variadic:
        kinds[operands[0]] = inspect.Parameter.VAR_POSITIONAL
    missing = inspect.Parameter.empty
    public = [
        inspect.Parameter(name, kinds[name], default=defaults.get(name, missing))
        for name in operands + static
    ]
    return (
        operands,
        static,
        {name: defaults[name] for name in operands if name in defaults},
        inspect.Signature(public, __validate_parameters__=False),
        variadic,
    )


def _bind(op, given, static, names, static_names, defaults):
    """The operands in order, where some came by name or static parameters by position."""
    for name, value in zip(static_names, given[len(names) :], strict=False):
        if name in static:
            raise ArgumentTypeError(f"{op}() got {name!r} twice")
        static[name] = value
    if len(given) > len(names) + len(static_names):
        raise ArgumentTypeError(
            f"{op}() takes {', '.join(names + static_names)}; got {len(given)} positional arguments"
        )
    operands = list(given[: len(names)])
    for name in names[len(operands) :]:
        if name in static:
            operands.append(static.pop(name))
        elif name in defaults:
            operands.append(defaults[name])
        else:
            raise ArgumentTypeError(f"{op}() is missing {name!r}: it takes {', '.join(names)}")
    return tuple(operands)


def _prepare(op, names, operands, promote):
    """Operands of any kind as tensors and scalars of one device, promoted as the op asks.

    Returns:
        The operands, their arrays, the backend, the dtype they are in now, and the dtype that the
        result is to be cast to, or None.
    """
    operands = [x.item() if isinstance(x, np.generic) else x for x in operands]
    be = None
    for i, x in enumerate(operands):
        if isinstance(x, Tensor):
            pass
        elif is_array(x) or not (x is None or type(x) in _SCALARS or isinstance(x, list | tuple)):
            operands[i] = wrap(to_array(x))
        else:
            continue
        found = backend_of(operands[i].array)
        if be is not None and found is not be:
            raise _mixed(op, names, operands)
        be = found
    if be is None:  # lists and scalars alone
        if all(x is None for x in operands):
            raise ArgumentTypeError(f"{op}() got None where a tensor, array or number belongs")
        operands = [wrap(to_array(x)) if x is not None else None for x in operands]
        be = backend_of(next(x.array for x in operands if x is not None))
    operands = [
        wrap(to_array(x, device=be.device)) if isinstance(x, list | tuple) else x for x in operands
    ]
    first = next(x.dtype for x in operands if isinstance(x, Tensor))
    if promote is not None:
        operands = _promote(be, operands, promote)
    arrays = [x.array if isinstance(x, Tensor) else x for x in operands]
    dtype = next(x.dtype for x in operands if isinstance(x, Tensor))
    narrow = dtype if promote is not None and dtype.kind == "V" else None
    if promote == "first" and first != dtype and is_float(first):
        narrow = first
    return operands, arrays, be, dtype, narrow


def _promote(be, operands, promote):
    """The operands in their common dtype, or with promote other than "same" in a common float."""
    kinds = [x.dtype if isinstance(x, Tensor) else type(x) for x in operands if x is not None]
    common = result_type(*kinds)
    if promote != "same" and common.kind in "iub":
        common = standardize(None)
    if common.kind == "V":  # beside bfloat16 arrays NumPy takes Python's scalars for float32
        operands = [wrap(be.full((), x, common)) if type(x) in _SCALARS else x for x in operands]
    return [x.to(common) if isinstance(x, Tensor) else x for x in operands]


def _narrowed(body, dtype):
    """The body with its float results cast: NumPy makes float32 of bfloat16 arrays and numbers."""

    def narrow(y):
        return y.astype(dtype) if y.dtype != dtype and is_float(y.dtype) else y

    def run(be, *operands, **static):
        y, pullback = body(be, *operands, **static)
        return tuple([narrow(v) for v in y]) if type(y) is tuple else narrow(y), pullback

    return run


def _mixed(op, names, operands) -> DeviceError:
    """The error for operands on several devices, with the place of each."""
    where = ", ".join(
        f"{name} on {Device.__str__(x.device) if isinstance(x, Tensor) else 'cpu'}"
        for name, x in zip(names * len(operands), operands, strict=False)
        if isinstance(x, Tensor) or is_array(x)
    )
    return DeviceError(
        f"{op}() got operands on different devices: {where}. Move one with .to(device)"
    )


def _explain(error: Exception, op: str, arrays, static, static_names) -> GpunnError:
    """What NumPy or CuPy refused, with the op and what it was given."""
    for name in static:
        if name not in static_names:
            return ArgumentTypeError(str(unknown(f"argument of {op}()", name, static_names)))
    given = ", ".join(f"{a.dtype}{list(a.shape)}" if is_array(a) else repr(a) for a in arrays)
    kind: type[GpunnError] = (
        DTypeError if isinstance(error, TypeError | AttributeError) else ShapeError
    )
    if isinstance(error, IndexError) and not isinstance(error, ValueError):  # AxisError is both
        kind = OutOfRangeError
    return kind(f"{op.strip('_')}({given}): {error}")


def _without_library(error: ImportError, op: str) -> DeviceError:
    """CuPy loads cuFFT, cuSOLVER and cuSPARSE when they are asked for."""
    from gpunn.backend.probe import emulated, install_line

    names = re.findall(r"lib(\w+)\.so", str(error))
    library = f"the CUDA library {names[0]}" if names else f"a CUDA library ({error})"
    fix = "the emulated device has none" if emulated() else install_line()
    return DeviceError(
        f"{op}() needs {library}, which is not here: {fix}; or compute it on tensors of the CPU, "
        'by x.to("cpu")'
    )


def _record_several(op, be, parents, needs, ys, pull, recipe):
    """The results of an op with several: each picks its gradient out of one common node."""
    ys = [y if is_array(y) else be.wrap(y) for y in ys]
    shapes, dtypes = tuple(y.shape for y in ys), tuple(y.dtype for y in ys)
    main = Node(tick(), op, pull, parents, needs, shapes, dtypes, recipe)
    for observer in observers:
        observer.recorded(main)
    results = []
    for i, y in enumerate(ys):
        t = wrap(y)
        if is_float(y.dtype):
            t.node = Node(tick(), op, Pick(i), (main,), (True,), y.shape, y.dtype)
            t.requires_grad = True
        results.append(t)
    return tuple(results)


def _observe(op, be, arrays, y) -> None:
    """Show a call to the observers, such as anomaly mode."""
    for observer in list(observers):
        observer.forward(op, be, arrays, y if type(y) is tuple else (made(y),))
