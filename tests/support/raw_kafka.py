"""Kafka's protocol by hand, for tests that say what no client library would: frames, record batches, and the
payloads of compressed batches that are far larger than they look.

    c = Connection("127.0.0.1:9092")
    c.send(produce("orders", 0, batch([b"hello"])))
    error, offset = read_produced(c.receive())
"""

import ctypes
import socket
import struct
import zlib

PRODUCE, FETCH, LIST_OFFSETS, METADATA, API_VERSIONS = 0, 1, 2, 3, 18
GZIP, SNAPPY, LZ4, ZSTD = 1, 2, 3, 4
CODEC_NAMES = {0: "none", GZIP: "gzip", SNAPPY: "snappy", LZ4: "lz4", ZSTD: "zstd"}

_isal = ctypes.CDLL("libisal.so.2")  # topicfs needs it too
_isal.crc32_iscsi.restype = ctypes.c_uint


def crc32c(data):
    return _isal.crc32_iscsi(bytes(data), ctypes.c_int(len(data)), ctypes.c_uint(0xffffffff)) ^ 0xffffffff


class Closed(Exception):
    """The broker has ended the connection."""


class Connection:
    def __init__(self, address, timeout=10, receive_buffer=None):
        host, port = address.rsplit(":", 1)
        self.socket = socket.socket()
        if receive_buffer:  # before it connects, so that the window is no larger
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout)
        self.socket.connect((host, int(port)))

    def send(self, data):
        try:
            self.socket.sendall(data)
        except (ConnectionResetError, BrokenPipeError) as error:
            raise Closed() from error

    def receive(self):
        """The next answer, from its correlation id on."""
        return self._exactly(struct.unpack(">i", self._exactly(4))[0])

    def receive_rest(self):
        """All that comes until the broker ends the connection."""
        data = bytearray()
        try:
            while part := self.socket.recv(1 << 20):
                data += part
        except ConnectionResetError:
            pass
        return bytes(data)

    def _exactly(self, size):
        data = bytearray(size)
        rest = memoryview(data)
        while rest:
            try:
                n = self.socket.recv_into(rest)
            except ConnectionResetError as error:
                raise Closed() from error
            if n == 0:
                raise Closed()
            rest = rest[n:]
        return bytes(data)

    def close(self):
        self.socket.close()


# ---- requests

def text(value):
    return struct.pack(">h", len(value)) + value.encode()


def frame(key, version, body, correlation=1):
    request = struct.pack(">hhih", key, version, correlation, -1) + body
    return struct.pack(">i", len(request)) + request


def produce(topic, partition, records, acks=-1, correlation=1, timeout_ms=30000, version=7):
    """Version 7 or 8, whose answer says why."""
    body = struct.pack(">hhii", -1, acks, timeout_ms, 1) + text(topic)
    body += struct.pack(">iii", 1, partition, len(records)) + records
    return frame(PRODUCE, version, body, correlation)


def read_produced(answer):
    """Error code and base offset of an answer to one partition, and the throttle time."""
    at = 4 + 4
    at += 2 + struct.unpack_from(">h", answer, at)[0] + 4 + 4
    error, offset = struct.unpack_from(">hq", answer, at)
    return error, offset, struct.unpack(">i", answer[-4:])[0]


def read_refused(answer):
    """Error code and message of an answer to one partition of version 8 without errors of records."""
    at = 4 + 4
    at += 2 + struct.unpack_from(">h", answer, at)[0] + 4 + 4
    error, _, _, _, faults, length = struct.unpack_from(">hqqqih", answer, at)
    at += 2 + 8 + 8 + 8 + 4 + 2
    return error, answer[at:at + max(0, length)].decode() if faults == 0 else None


def fetch(topic, partition, offset, max_bytes=1 << 20, max_wait_ms=5000, correlation=1):
    """Version 4."""
    body = struct.pack(">iiiibi", -1, max_wait_ms, 1, max_bytes, 0, 1) + text(topic)
    body += struct.pack(">iiqi", 1, partition, offset, max_bytes)
    return frame(FETCH, 4, body, correlation)


def read_fetched(answer):
    """Error code, high watermark and batches of an answer to one partition."""
    at = 4 + 4 + 4
    at += 2 + struct.unpack_from(">h", answer, at)[0] + 4 + 4
    error, watermark, _ = struct.unpack_from(">hqq", answer, at)
    at += 2 + 8 + 8
    aborted = struct.unpack_from(">i", answer, at)[0]
    at += 4 + 16 * max(0, aborted)
    size = struct.unpack_from(">i", answer, at)[0]
    return error, watermark, answer[at + 4:at + 4 + size]


def metadata(topics=None, correlation=1):
    """Version 1: all topics, or those named."""
    names = struct.pack(">i", -1 if topics is None else len(topics)) + b"".join(text(t) for t in topics or [])
    return frame(METADATA, 1, names, correlation)


# ---- record batches

def varint(value):
    value = (value << 1) ^ (value >> 63)
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7f | 0x80)
        value >>= 7
    return bytes(out + bytes([value]))


def record(value, index=0):
    body = b"\0" + varint(0) + varint(index) + varint(-1) + varint(len(value)) + value + varint(0)
    return varint(len(body)) + body


NO_PRODUCER = -1, -1, -1


def batch_of(payload, count, codec=0, timestamp=1_700_000_000_000, producer=NO_PRODUCER):
    """A batch whose records, compressed with `codec`, are `payload`; `producer` is an id, an epoch and a sequence."""
    tail = struct.pack(">hiqqqhii", codec, count - 1, timestamp, timestamp, *producer, count) + payload
    return struct.pack(">qiibI", 0, len(tail) + 9, -1, 2, crc32c(tail)) + tail


def batch(values, producer=NO_PRODUCER):
    return batch_of(b"".join(record(v, i) for i, v in enumerate(values)), len(values), producer=producer)


def values_of(batches):
    """(offset, value) of all records; uncompressed batches only."""
    found, at = [], 0
    while len(batches) - at >= 61:
        base, length = struct.unpack_from(">qi", batches, at)
        if len(batches) - at < 12 + length:
            break
        count, here = struct.unpack_from(">i", batches, at + 57)[0], at + 61
        for i in range(count):
            size, here = _read_varint(batches, here)
            end, here = here + size, here + 1
            for _ in range(2):
                _, here = _read_varint(batches, here)
            key_size, here = _read_varint(batches, here)
            value_size, here = _read_varint(batches, here + max(0, key_size))
            found.append((base + i, batches[here:here + value_size]))
            here = end
        at += 12 + length
    return found


def _read_varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7f) << shift
        shift += 7
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), at


# ---- bombs: batches of one record with so many zeros

_LZ4_BLOCK = 4 << 20
_ZSTD_BLOCK = 128 << 10


def _head(zeros):
    """The record's bytes up to its value; the byte behind the value, a count of headers, is a zero too."""
    body = b"\0" + varint(0) + varint(0) + varint(-1) + varint(zeros)
    return varint(len(body) + zeros + 1) + body


def _gzip(head, zeros):
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = bytes(1 << 20)
    out = [packer.compress(head)]
    for _ in range(zeros // len(block)):
        out.append(packer.compress(block))
    return b"".join(out + [packer.compress(bytes(zeros % len(block))), packer.flush()])


def _snappy(head, zeros):
    """One raw block: head and a zero as literals, then copies of 64 bytes from one byte before."""
    literal = head + b"\0"
    length, size = bytearray(), len(head) + zeros
    while size >= 0x80:
        length.append(size & 0x7f | 0x80)
        size >>= 7
    copies, rest = divmod(zeros - 1, 64)
    last = bytes([(rest - 1) << 2 | 2, 1, 0]) if rest else b""
    return bytes(length + bytes([size])) + bytes([(len(literal) - 1) << 2]) + literal + b"\xfe\x01\0" * copies + last


def _lz4(head, zeros):
    """A frame of independent blocks: the head as it is, then zeros; what does not fill a block as it is."""
    run = _LZ4_BLOCK - 1 - 5 - 4 - 15  # one zero in front of the match, five literals at the end
    block = b"\x1f\0\x01\0" + b"\xff" * (run // 255) + bytes([run % 255]) + b"\x50" + bytes(5)
    full, rest = divmod(zeros, _LZ4_BLOCK)
    out = b"\x04\x22\x4d\x18\x60\x70\x73"
    for plain in (head, bytes(rest)):
        if plain:
            out += struct.pack("<I", len(plain) | 1 << 31) + plain
    return out + (struct.pack("<I", len(block)) + block) * full + bytes(4)


def _zstd(head, zeros):
    """A frame of blocks that repeat one byte."""
    full, rest = divmod(zeros, _ZSTD_BLOCK)
    out = b"\x28\xb5\x2f\xfd\x00\x38"  # no content size, a window of 128 KiB
    out += struct.pack("<I", len(head) << 3)[:3] + head
    out += (struct.pack("<I", _ZSTD_BLOCK << 3 | 1 << 1)[:3] + b"\0") * full
    return out + struct.pack("<I", rest << 3 | 1 << 1 | 1)[:3] + b"\0"


def bomb(codec, zeros):
    """A batch of one record of `zeros` zeros, valid but for its size."""
    head = _head(zeros)
    packed = {GZIP: _gzip, SNAPPY: _snappy, LZ4: _lz4, ZSTD: _zstd}[codec](head, zeros + 1)
    return batch_of(packed, 1, codec)
