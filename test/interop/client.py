"""A short-lived client: one connection, one frame each way. Arguments: path, then what to do.

Prints the reply's payload, or "no reply".
"""
import socket
import struct
import sys

_, path, what = sys.argv
payload = sys.stdin.buffer.read()


def read_all(stream, length):
    data = b""
    while len(data) < length:
        part = stream.recv(length - len(data))
        if not part:
            return None
        data += part
    return data


def frame(data):
    return struct.pack(">I", len(data)) + data


with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stream:
    stream.settimeout(5)
    stream.connect(path)
    if what == "frame":
        stream.sendall(frame(payload))
    elif what == "byte-by-byte":
        for byte in frame(payload):
            stream.send(bytes([byte]))
    elif what == "three-header-bytes":
        stream.sendall(b"\0\0\0")
    elif what == "short-body":
        stream.sendall(struct.pack(">I", len(payload) + 1) + payload)
    elif what == "half-close":
        stream.sendall(frame(payload))
        stream.shutdown(socket.SHUT_WR)
    elif what == "still-writing":
        try:
            stream.sendall(struct.pack(">I", 0xFFFFFFFF) + b"x" * 4_000_000)
        except BrokenPipeError:
            pass
    header = read_all(stream, 4)
    reply = header and read_all(stream, struct.unpack(">I", header)[0])
    sys.stdout.buffer.write(b"no reply" if reply is None else reply)
    sys.exit(0 if stream.recv(1) == b"" else 2)
