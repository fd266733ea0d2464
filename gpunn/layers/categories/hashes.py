"""Hashes of bytes that do not change from run to run: FarmHash, SipHash, and joined ones."""

import struct
from collections.abc import Sequence

MASK = (1 << 64) - 1
K0, K1, K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F
JOIN = 0xC6A4A7935BD1E995
CROSS_KEY = 0xDECAFCAFFE  # what TensorFlow starts crossed hashes with


def bucket(data: bytes, buckets: int, salt: Sequence[int] | None = None) -> int:
    """One of the integers 0 ... buckets - 1: of the FarmHash, with a salt of the SipHash.

    >>> bucket(b"word", 1000) == bucket(b"word", 1000)
    True
    """
    return (farmhash(data) if salt is None else siphash(data, salt)) % buckets


def crossed(hashes: Sequence[int], buckets: int) -> int:
    """The bucket of several hashes together (TensorFlow's `sparse.cross_hashed`)."""
    result = CROSS_KEY
    for h in hashes:
        result ^= JOIN
        result ^= _shift_mix(h * JOIN & MASK) * JOIN & MASK
        result = result * JOIN & MASK
        result = _shift_mix(result) * JOIN & MASK
        result = _shift_mix(result)
    return result % buckets


def siphash(data: bytes, key: Sequence[int]) -> int:
    """SipHash-2-4 by a key of two integers (Aumasson and Bernstein, 2012).

    >>> hex(siphash(bytes(range(15)), (0x0706050403020100, 0x0F0E0D0C0B0A0908)))
    '0xa129ca6149be45e5'
    """
    k0, k1 = (k & MASK for k in key)
    v = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D]
    v += [k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573]
    whole = len(data) // 8 * 8
    last = data[whole:] + bytes(7 - len(data) % 8) + bytes([len(data) & 255])
    for (word,) in struct.iter_unpack("<Q", data[:whole] + last):
        v[3] ^= word
        _sip_round(v)
        _sip_round(v)
        v[0] ^= word
    v[2] ^= 255
    for _ in range(4):
        _sip_round(v)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def _sip_round(v: list[int]) -> None:
    """One round, in place; the rotations are to the left."""
    a, b, c, d = v
    a = a + b & MASK
    c = c + d & MASK
    b = _rotate(b, 51) ^ a
    d = _rotate(d, 48) ^ c
    a = _rotate(a, 32)
    c = c + b & MASK
    a = a + d & MASK
    b = _rotate(b, 47) ^ c
    d = _rotate(d, 43) ^ a
    c = _rotate(c, 32)
    v[:] = a, b, c, d


# --- FarmHash, by Geoff Pike (https://github.com/google/farmhash): Fingerprint64 ---


def farmhash(data: bytes) -> int:
    """FarmHash Fingerprint64.

    >>> farmhash(b"") == 0x9AE16A3B2F90404F
    True
    """
    n = len(data)
    if n <= 16:
        return _short(data, n)
    if n <= 32:
        return _middle(data, n)[2]
    if n <= 64:
        return _longer(data, n)
    return _long(data, n)


def _rotate(x: int, by: int) -> int:
    """64 bits, rotated to the right."""
    return (x >> by | x << 64 - by) & MASK


def _shift_mix(x: int) -> int:
    return x ^ x >> 47


def _word(data: bytes, at: int, size: int = 8) -> int:
    return int.from_bytes(data[at : at + size], "little")


def _mix(u: int, v: int, factor: int) -> int:
    a = _shift_mix((u ^ v) * factor & MASK)
    return _shift_mix((v ^ a) * factor & MASK) * factor & MASK


def _short(s, n):
    factor = K2 + 2 * n
    if n >= 8:
        a, b = _word(s, 0) + K2 & MASK, _word(s, n - 8)
        c = _rotate(b, 37) * factor + a & MASK
        return _mix(c, (_rotate(a, 25) + b) * factor & MASK, factor & MASK)
    if n >= 4:
        return _mix(n + (_word(s, 0, 4) << 3), _word(s, n - 4, 4), factor & MASK)
    if n:
        y, z = s[0] + (s[n >> 1] << 8), n + (s[n - 1] << 2)
        return _shift_mix((y * K2 ^ z * K0) & MASK) * K2 & MASK
    return K2


def _middle(s, n, first=K1):
    factor = K2 + 2 * n & MASK
    a, b = _word(s, 0) * first & MASK, _word(s, 8)
    c, d = _word(s, n - 8) * factor & MASK, _word(s, n - 16) * K2 & MASK
    y = _rotate(a + b & MASK, 43) + _rotate(c, 30) + d & MASK
    return a, y, _mix(y, a + _rotate(b + K2 & MASK, 18) + c & MASK, factor)


def _longer(s, n):
    factor = K2 + 2 * n & MASK
    a, y, z = _middle(s, n, K2)
    e, f = _word(s, 16) * factor & MASK, _word(s, 24)
    g = (y + _word(s, n - 32)) * factor & MASK
    h = (z + _word(s, n - 24)) * factor & MASK
    first = _rotate(e + f & MASK, 43) + _rotate(g, 30) + h & MASK
    return _mix(first, e + _rotate(f + a & MASK, 18) + g & MASK, factor)


def _weak(s, at, a, b):
    w, x, y, z = (_word(s, at + 8 * i) for i in range(4))
    a = a + w & MASK
    b = _rotate(b + a + z & MASK, 21)
    c = a
    a = a + x + y & MASK
    return a + z & MASK, b + _rotate(a, 44) + c & MASK


def _long(s, n):
    x, y = 81 * K2 + _word(s, 0) & MASK, 81 * K1 + 113 & MASK
    z = _shift_mix(y * K2 + 113 & MASK) * K2 & MASK
    v = w = (0, 0)
    blocks = (n - 1) // 64
    for at in range(0, 64 * blocks, 64):
        x, y, z, v, w = _block(s, at, x, y, z, v, w, K1, 1)
    rest = n - 1 & 63
    factor = K1 + ((z & 255) << 1) & MASK
    w = (w[0] + rest & MASK, w[1])
    v = (v[0] + w[0] & MASK, v[1])
    w = (w[0] + v[0] & MASK, w[1])
    x, y, z, v, w = _block(s, 64 * blocks + rest - 63, x, y, z, v, w, factor, 9)
    first = _mix(v[0], w[0], factor) + _shift_mix(y) * K0 + z & MASK
    return _mix(first, _mix(v[1], w[1], factor) + x & MASK, factor)


def _block(s, at, x, y, z, v, w, factor, weight):
    x = _rotate(x + y + v[0] + _word(s, at + 8) & MASK, 37) * factor & MASK
    y = _rotate(y + v[1] + _word(s, at + 48) & MASK, 42) * factor & MASK
    x ^= w[1] * weight & MASK
    y = y + v[0] * weight + _word(s, at + 40) & MASK
    z = _rotate(z + w[0] & MASK, 33) * factor & MASK
    v = _weak(s, at, v[1] * factor & MASK, x + w[0] & MASK)
    w = _weak(s, at + 32, z + w[1] & MASK, y + _word(s, at + 16) & MASK)
    return z, y, x, v, w
