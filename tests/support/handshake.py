"""A server that ends the TLS handshake at its first message, for tests of cut connections."""

import contextlib
import socket
import threading

# What it may say to a ClientHello before it closes: TLS records are in RFC 8446, section 5.1.
NOTHING = b""
CLOSE_NOTIFY = bytes.fromhex("15 0303 0002 01 00")
INTERNAL_ERROR = bytes.fromhex("15 0303 0002 02 50")
NO_TLS = b"HTTP/1.1 400 Bad Request\r\n\r\n"


@contextlib.contextmanager
def ending_with(said):
    """Yield the port of a server that answers each ClientHello with this, and closes."""

    def serve():
        with contextlib.suppress(OSError):
            while True:
                client, _ = server.accept()
                with client:
                    client.recv(1 << 16)
                    client.sendall(said)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
    thread.join()
