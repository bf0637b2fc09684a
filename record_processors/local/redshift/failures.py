"""The errors of COPY, with Redshift's words and SQLSTATEs.

* CopyError            the statement fails, nothing more is known than its message
  x SourceError        S3 or a file's compression
  x Unsupported        Redshift may, the stand-in does not
* BadField             a value that its column does not take; knows no row yet
* BadRow               a row that cannot be loaded: the load error tables say which

Codes: https://docs.aws.amazon.com/redshift/latest/dg/r_Load_Error_Reference.html
"""

from __future__ import annotations

SYNTAX_ERROR = "42601"
NOT_SUPPORTED = "0A000"
INTERNAL_ERROR = "XX000"


class CopyError(Exception):
    """A COPY that fails as a whole: ``code`` is its SQLSTATE, ``detail`` Redshift's block.

    ``number`` is the error's number in that block, which is there only with a ``context``.
    """

    code = INTERNAL_ERROR

    def __init__(
        self, message: str, *, code: str = "", context: str = "", number: int = 8001
    ) -> None:
        super().__init__(message)
        self.message = message
        self.context = context
        self.number = number
        self.code = code or self.code

    def detail(self, query: int, process: int) -> str:
        """Return the block that Redshift puts into DETAIL."""
        if not self.context:
            return ""
        line = "-" * 47
        return (
            f"\n  {line}\n  error:  {self.message}\n  code:      {self.number}\n"
            f"  context:   {self.context}\n  query:     {query}\n"
            f"  location:  table_s3_scanner.cpp:354\n  process:   padbmaster [pid={process}]\n"
            f"  {line}\n"
        )


class SourceError(CopyError):
    """A file that cannot be read: absent, refused, cut, not of the compression it should be."""


class Unsupported(CopyError):
    """What Redshift knows and this stand-in does not."""

    code = NOT_SUPPORTED

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is not supported by the stand-in, although Redshift knows it")


class BadField(Exception):
    """A value that its column does not take: load error code and reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class BadRow(Exception):
    """A row that cannot be loaded; ``column`` is the index of the one at fault, -1 if none is."""

    def __init__(self, problem: BadField, column: int = -1, value: bytes = b"") -> None:
        super().__init__(problem.reason)
        self.code = problem.code
        self.reason = problem.reason
        self.column = column
        self.value = value


def conflicting_options() -> CopyError:
    """Return what COPY says of an option given twice, or of two that exclude each other."""
    return CopyError("conflicting or redundant options", code=SYNTAX_ERROR)


def syntax_error(near: str) -> CopyError:
    """Return PostgreSQL's syntax error."""
    return CopyError(f'syntax error at or near "{near}"', code=SYNTAX_ERROR)
