"""Why there was no TLS connection: it was cut, which passes, or nobody vouches for who answers."""

from __future__ import annotations

import ssl

# docs.python.org/3/library/ssl.html#exceptions: by the other side, or on the way, in the handshake.
CUT = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)


def was_cut(error: BaseException) -> bool:
    """Whether the connection ended before there was one, as while a service or a network is down.

    ``error`` is whatever a library made of what Python's ``ssl`` raised.
    """
    return isinstance(_first(error), CUT)


def is_untrusted(error: BaseException) -> bool:
    """Whether the certificate is of no root that we trust, of another host, or has expired."""
    return isinstance(_first(error), ssl.SSLCertVerificationError)


def _first(error: BaseException | None) -> BaseException | None:
    """Return the nearest error of ``ssl`` among the causes: what is behind it is another call's."""
    while error is not None and not isinstance(error, ssl.SSLError):
        error = error.__cause__ or error.__context__
    return error
