"""The way of one host to one service, which can be cut for that host alone."""

import socket
import threading
from contextlib import suppress
from urllib.parse import urlsplit

from support.fault_proxy import cut


class Way:
    """Carries bytes, whatever they are: HTTP/1.1, or HTTP/2 as KCL speaks it to Kinesis.

    While it is cut, nothing gets through and nobody is told, as when a network drops packets: what
    was sent arrives when it is mended, if anybody still waits for it or not.
    """

    def __init__(self, upstream):
        parts = urlsplit(upstream)
        self.upstream = parts.hostname, parts.port
        self._is_open = threading.Event()
        self._is_open.set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = "http://{}:{}".format(*self._listener.getsockname())
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()
        self._ends = []

    def cut(self):
        """Let nothing through."""
        self._is_open.clear()

    def mend(self):
        """Let everything through again."""
        self._is_open.set()

    def close(self):
        """End every connection."""
        self.mend()
        cut(self._listener)
        self._threads[0].join()
        self._listener.close()
        for end in self._ends:
            cut(end)
        for thread in self._threads[1:]:
            thread.join()

    def _accept(self):
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self.upstream)
                self._ends += [client, server]
                thread = threading.Thread(target=self._carry, args=(client, server), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _carry(self, client, server):
        for end in (client, server):  # else small frames wait 40 ms for each other
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        back = threading.Thread(target=self._one_way, args=(server, client), daemon=True)
        back.start()
        self._one_way(client, server)
        back.join()
        client.close()
        server.close()

    def _one_way(self, source, sink):
        with suppress(OSError):
            while data := source.recv(1 << 16):
                self._is_open.wait()
                sink.sendall(data)
        self._is_open.wait()
        cut(sink, socket.SHUT_WR)
