"""Files of events, as TensorBoard reads them: numbers by name and step."""

import os
import socket
import struct
import time
from pathlib import Path

_POLYNOMIAL = 0x82F63B78  # CRC-32C, bits reversed


def _remainder(byte: int) -> int:
    for _ in range(8):
        byte = (byte >> 1) ^ (_POLYNOMIAL if byte & 1 else 0)
    return byte


_REMAINDERS = [_remainder(byte) for byte in range(256)]


def checksum(data: bytes) -> bytes:
    """The masked CRC-32C of a record.

    >>> checksum(b"123456789").hex()
    'e5b08ac7'
    """
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ _REMAINDERS[(crc ^ byte) & 0xFF]
    crc ^= 0xFFFFFFFF
    masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
    return struct.pack("<I", masked)


class EventWriter:
    """Writes scalars into a new file of a folder.

    Args:
        folder: made if it is not there.

    Source: TensorFlow's event.proto, summary.proto and TFRecord.
    """

    _number = 0  # of the files of this process, which may begin in one second

    def __init__(self, folder):
        EventWriter._number += 1
        name = f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}.{os.getpid()}"
        path = Path(folder, f"{name}.{EventWriter._number}.v2")
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = open(path, "wb")
        self._write(_text(3, b"brain.Event:2"))

    def scalars(self, values, step: int) -> None:
        """Write numbers by name, of one step."""
        entries = [
            _text(1, _text(1, name.encode()) + b"\x15" + struct.pack("<f", value))
            for name, value in values.items()
        ]
        self._write(b"\x10" + _varint(step) + _text(5, b"".join(entries)))

    def _write(self, event: bytes) -> None:
        event = b"\x09" + struct.pack("<d", time.time()) + event
        length = struct.pack("<Q", len(event))
        self._file.write(length + checksum(length) + event + checksum(event))
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _text(field: int, data: bytes) -> bytes:
    """A field of bytes, text or a message."""
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def _varint(n: int) -> bytes:
    parts = []
    while n > 127:
        parts.append(n & 127 | 128)
        n >>= 7
    return bytes([*parts, n])
