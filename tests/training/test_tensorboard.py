"""TensorBoard and RemoteMonitor: what they write and send."""

import json
import struct
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs

import numpy as np
import pytest

import gpunn as keras
from gpunn.errors import ArgumentError
from gpunn.training.events import checksum

X, Y = np.ones((40, 3), "float32"), np.zeros((40, 1), "float32")


def compiled():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    return model


def records(path):
    """The records of a TFRecord file, with their checksums checked."""
    data = path.read_bytes()
    while data:
        (n,) = struct.unpack("<Q", data[:8])
        record = data[12 : 12 + n]
        assert data[8:12] == checksum(data[:8]) and data[12 + n : 16 + n] == checksum(record)
        yield record
        data = data[16 + n :]


def varint(data):
    value = shift = 0
    for i, byte in enumerate(data):
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, data[i + 1 :]
    raise AssertionError("a number that does not end")


def fields(data):
    """(number, value) of the fields of a message."""
    while data:
        key, data = varint(data)
        if key & 7 == 0:
            value, data = varint(data)
        else:
            n = {1: 8, 5: 4}.get(key & 7)
            if n is None:
                n, data = varint(data)
            value, data = data[:n], data[n:]
        yield key >> 3, value


def scalars(folder):
    """(step, name, value) of everything in a folder."""
    found = []
    for path in sorted(folder.iterdir()):
        first, *rest = map(dict, map(fields, records(path)))
        assert first[3] == b"brain.Event:2"
        for event in rest:
            for _, entry in fields(event[5]):
                entry = dict(fields(entry))
                (value,) = struct.unpack("<f", entry[2])
                found.append((event[2], entry[1].decode(), value))
    return found


def test_checksum_is_that_of_the_standard():
    # CRC-32C of the nine digits is e3069283
    crc = 0xE3069283
    masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
    assert checksum(b"123456789") == struct.pack("<I", masked)


def test_curves_of_epochs_and_batches(tmp_path):
    model = compiled()
    board = keras.callbacks.TensorBoard(tmp_path, update_freq=2)
    history = model.fit(X, Y, batch_size=10, epochs=300, steps_per_epoch=4, verbose=0,
                        validation_data=(X, Y), callbacks=[board]).history  # fmt: skip
    train, tested = scalars(tmp_path / "train"), scalars(tmp_path / "validation")
    for name in ("loss", "mae"):
        curve = [(s, v) for s, n, v in train if n == f"epoch_{name}"]
        assert curve == list(enumerate(np.float32(history[name])))
        curve = [(s, v) for s, n, v in tested if n == f"epoch_{name}"]
        assert curve == list(enumerate(np.float32(history[f"val_{name}"])))
    assert [s for s, n, _ in train if n == "batch_loss"] == list(range(2, 1201, 2))
    assert {v for _, n, v in train if n == "epoch_learning_rate"} == {np.float32(0.01)}
    loss = model.evaluate(X, Y, verbose=0, callbacks=[board])[0]
    assert (1200, "evaluation_loss_vs_iterations", np.float32(loss)) in scalars(
        tmp_path / "validation"
    )


def test_what_is_not_written_is_said(tmp_path):
    with pytest.warns(UserWarning, match="histogram_freq"):
        keras.callbacks.TensorBoard(tmp_path, histogram_freq=1)
    with pytest.raises(ArgumentError, match="update_freq"):
        keras.callbacks.TensorBoard(tmp_path, update_freq="step")


@pytest.mark.parametrize("as_json", [True, False])
def test_remote_monitor(as_json):
    got = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            got.append((self.path, self.headers["X-Key"], body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        root = f"http://127.0.0.1:{server.server_port}"
        monitor = keras.callbacks.RemoteMonitor(root, headers={"X-Key": "k"}, send_as_json=as_json)
        history = compiled().fit(X, Y, epochs=2, verbose=0, callbacks=[monitor]).history
    finally:
        server.shutdown()
        server.server_close()
    assert [(path, key) for path, key, _ in got] == [("/publish/epoch/end/", "k")] * 2
    sent = [json.loads(b if as_json else parse_qs(b)["data"][0]) for *_, b in got]
    assert [s["epoch"] for s in sent] == [0, 1]
    assert [s["loss"] for s in sent] == history["loss"]


def test_a_server_that_is_away_costs_a_warning():
    monitor = keras.callbacks.RemoteMonitor("http://127.0.0.1:1")
    with pytest.warns(UserWarning, match="cannot be reached"):
        compiled().fit(X, Y, verbose=0, callbacks=[monitor])
