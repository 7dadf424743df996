"""Many browsers that follow one run, and when each of its events was written. Both only note what comes and when:
what it means is found out afterwards, so that the bench itself takes as little time as it can."""

import multiprocessing
import os
import selectors
import socket
import ssl
import threading
import time

from .common import Failed

# How often the file is looked at.
LOOK = 0.001
CONNECTING = 60


class Watched:
    """A file that grows: its lines, each with the time of the last look that did not show it yet."""

    def __init__(self, path):
        self.lines = []
        self.longest_look = 0
        self.path = path
        self.over = threading.Event()
        self.failed = None
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()

    def watch(self):
        try:
            self.follow()
        except OSError as error:
            self.failed = error

    def follow(self):
        last, rest, file = time.monotonic(), b"", None
        try:
            while True:
                ends = self.over.is_set()
                now = time.monotonic()
                if file is None and self.path.exists():
                    file = os.open(self.path, os.O_RDONLY)
                if file is not None and (more := os.read(file, 1 << 20)):
                    *whole, rest = (rest + more).split(b"\n")
                    self.lines += [(last, line) for line in whole]
                if ends:
                    return
                last = now
                time.sleep(LOOK)
        finally:
            if file is not None:
                os.close(file)

    def close(self):
        self.over.set()
        self.thread.join()


class Listeners:
    """Browsers in a process of their own, each with a connection of its own."""

    def __init__(self, daemon, count):
        here, there = multiprocessing.Pipe()
        self.pipe = here
        what = (there, daemon.port, str(daemon.authority), daemon.token, count)
        self.process = multiprocessing.Process(target=listen, args=what, daemon=True)
        self.process.start()
        there.close()

    def follow(self, path, limit):
        """Has them follow; when the last one was connected."""
        self.pipe.send((path, limit))
        return self.told(CONNECTING)

    def heard(self, limit):
        """What each of them heard, once the run is over: number of an event to its time and text."""
        return [events(pieces) for pieces in self.told(limit)]

    def told(self, limit):
        if not self.pipe.poll(limit):
            raise Failed(f"the browsers have not answered within {limit} s")
        told = self.pipe.recv()
        if isinstance(told, str):
            raise Failed(told)
        return told

    def close(self):
        self.process.kill()
        self.process.join()
        self.pipe.close()


def listen(pipe, port, authority, token, count):
    """The process of the browsers."""
    try:
        path, limit = pipe.recv()
        trust = ssl.create_default_context(cafile=authority)
        streams = [connected(trust, port, token, path) for _ in range(count)]
        pipe.send(time.monotonic())
        pipe.send(pieces(streams, time.monotonic() + limit))
    except (OSError, ValueError) as error:
        pipe.send(f"a browser can't follow the run: {error}")


def connected(trust, port, token, path):
    """A connection behind the head of its answer, and what came with the head."""
    plain = socket.create_connection(("localhost", port), timeout=CONNECTING)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    stream = trust.wrap_socket(plain, server_hostname="localhost")
    lines = [f"GET {path} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {token}", "Accept: text/event-stream"]
    stream.sendall("\r\n".join([*lines, "", ""]).encode())
    got = b""
    while b"\r\n\r\n" not in got:
        more = stream.recv(65536)
        if not more:
            raise ValueError(f"hung up after {got!r}")
        got += more
    head, rest = got.split(b"\r\n\r\n", 1)
    if not head.startswith(b"HTTP/1.1 200 ") or b"transfer-encoding: chunked" not in head.lower():
        raise ValueError(f"answered {head.decode()}")
    stream.setblocking(False)
    return stream, rest


def pieces(streams, end):
    """What came at each, with its time, until all have ended."""
    selector = selectors.DefaultSelector()
    out = []
    for stream, rest in streams:
        came = [(time.monotonic(), rest)]
        selector.register(stream, selectors.EVENT_READ, came)
        out.append(came)
    while selector.get_map():
        if time.monotonic() > end:
            raise ValueError("it has no end")
        for key, _ in selector.select(1):
            if not read(key.fileobj, key.data):
                selector.unregister(key.fileobj)
                key.fileobj.close()
    return out


def read(stream, came):
    """Whether more can come."""
    try:
        # Until there is no more: what is decrypted already wakes nobody.
        while True:
            data = stream.recv(65536)
            came.append((time.monotonic(), data))
            # The last chunk of an answer is empty.
            if not data or data.endswith(b"\r\n0\r\n\r\n") or data == b"0\r\n\r\n":
                return False
    except ssl.SSLWantReadError:
        return True


def events(came):
    """Number of an event to the time when all of it was there, and its text."""
    out = {}
    raw = text = b""
    for at, data in came:
        raw += data
        while (chunk := first_chunk(raw)) is not None:
            text += chunk[0]
            raw = chunk[1]
        *whole, text = text.split(b"\n\n")
        for event in whole:
            fields = dict(line.split(b": ", 1) for line in event.splitlines() if b": " in line)
            if b"id" in fields:
                out[int(fields[b"id"])] = (at, fields[b"data"])
    return out


def first_chunk(raw):
    """The first chunk of an answer and what follows it; none if it isn't all there."""
    size, found, rest = raw.partition(b"\r\n")
    if not found or len(rest) < int(size, 16) + 2:
        return None
    return rest[: int(size, 16)], rest[int(size, 16) + 2 :]
