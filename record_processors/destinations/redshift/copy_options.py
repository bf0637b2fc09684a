"""``redshiftCopyOptions``, read as COPY reads it, and what of it never works or loses rows.

docs.aws.amazon.com/redshift/latest/dg/r_COPY-parameters.html and the pages below it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from ...config.types import did_you_mean

TOKEN = re.compile(r"\s*(?:[A-Za-z_]\w*|\d+\b|'(?:[^']|'')*')")  # a word, a number, a text

TEXT, NUMBER, SWITCH, NOTHING = "a text in quotes", "a whole number", "ON or OFF", "nothing"
SWITCHES = frozenset({"ON", "OFF", "TRUE", "FALSE", "PRESET"})


class Option(NamedTuple):
    """An option of COPY: what follows its name, and for which formats it is of no use."""

    argument: str
    optional: bool = False
    unfit: str = ""
    words: frozenset[str] = frozenset()


# Of columnar files COPY takes few options: …/dg/copy-usage_notes-copy-from-columnar.html
IN_ROWS = "parquet"
OPTIONS = {
    "ACCEPTANYDATE": Option(NOTHING, unfit=IN_ROWS),
    "ACCEPTINVCHARS": Option(TEXT, optional=True),
    "BLANKSASNULL": Option(NOTHING, unfit=IN_ROWS),
    "COMPROWS": Option(NUMBER, unfit=IN_ROWS),
    "COMPUPDATE": Option(SWITCH, optional=True, unfit=IN_ROWS, words=SWITCHES),
    "DATEFORMAT": Option(TEXT, unfit=IN_ROWS),
    "EMPTYASNULL": Option(NOTHING, unfit=IN_ROWS),
    # Rows are separated by one byte, so that no file is UTF-16.
    "ENCODING": Option("UTF8 or ISO88591", unfit=IN_ROWS, words=frozenset({"UTF8", "ISO88591"})),
    "EXPLICIT_IDS": Option(NOTHING),
    "FILLRECORD": Option(NOTHING, unfit="json"),
    "QUOTE": Option(TEXT, unfit="json delimited parquet"),
    "REGION": Option(TEXT, unfit=IN_ROWS),
    "REMOVEQUOTES": Option(NOTHING, unfit="json csv parquet"),
    "ROUNDEC": Option(NOTHING, unfit=IN_ROWS),
    "SERIALIZETOJSON": Option(NOTHING, unfit="json csv delimited"),
    "STATUPDATE": Option(SWITCH, optional=True, words=SWITCHES - {"PRESET"}),
    "TIMEFORMAT": Option(TEXT, unfit=IN_ROWS),
    "TRIMBLANKS": Option(NOTHING, unfit=IN_ROWS),
    "TRUNCATECOLUMNS": Option(NOTHING, unfit=IN_ROWS),
}
# With these COPY would leave rows out, and the ledger would say that the whole file is loaded.
LOSSY = frozenset("IGNOREALLERRORS IGNOREBLANKLINES IGNOREHEADER MAXERROR NOLOAD".split())
# With these it is not said how COPY tells rows apart: whether a line break may stand in quotes.
ROWS_APART = frozenset({"QUOTE", "REMOVEQUOTES"})
# What we add to COPY ourselves, from the other settings.
OURS = frozenset(
    "ACCESS_KEY_ID AVRO BZIP2 CREDENTIALS CSV DELIMITER ESCAPE FIXEDWIDTH FORMAT GZIP IAM_ROLE "
    "JSON LZOP MANIFEST NULL ORC PARQUET SECRET_ACCESS_KEY SESSION_TOKEN SHAPEFILE ZSTD".split()
)
# Of other sources than files of ours in S3.
OF_OTHER_SOURCES = frozenset("ENCRYPTED MASTER_SYMMETRIC_KEY READRATIO SIMPLIFY SSH".split())


def faults(options: str, data_format: str) -> Iterator[str]:
    """Yield why ``options`` will not do for files of ``data_format``: ends of sentences."""
    try:
        tokens = _tokens(options)
    except ValueError as error:
        yield str(error)
        return
    seen: set[str] = set()
    while tokens:
        name = tokens.pop(0).upper()
        if fault := _fault_of(name, data_format):
            yield fault
            _pass_argument_over(tokens)
            continue
        if name in seen:
            yield f"{name} stands there twice"
        seen.add(name)
        if fault := _take_argument(name, OPTIONS[name], tokens):
            yield fault
            _pass_argument_over(tokens)


def names_in(options: str) -> frozenset[str]:
    """Return the names of options that ``faults`` finds nothing wrong with."""
    return frozenset(token.upper() for token in _tokens(options)) & frozenset(OPTIONS)


def _tokens(options: str) -> list[str]:
    found, at = [], 0
    options = options.rstrip()
    while at < len(options):
        token = TOKEN.match(options, at)
        if token is None:
            raise ValueError(_no_token(options[at:].lstrip()))
        found.append(token[0].strip())
        at = token.end()
    return found


def _no_token(rest: str) -> str:
    if rest.startswith("'"):
        return f"the quote before {rest[1:]} is not closed"
    culprit = rest.split(maxsplit=1)[0]
    return f"{culprit} has no place in it: options are words, numbers and texts in quotes"


def _fault_of(name: str, data_format: str) -> str:
    if name in OURS:
        return f"{name} is what we add ourselves, from the other settings"
    if name in LOSSY:
        return f"{name} would leave rows out unnoticed"
    if name in OF_OTHER_SOURCES:
        return f"{name} is for other sources than our files"
    if name not in OPTIONS:
        return f"{name} is no option of COPY{did_you_mean(name, OPTIONS)}"
    if data_format in OPTIONS[name].unfit.split():
        return f"COPY refuses {name} for redshiftDataFormat = {data_format}"
    return ""


def _take_argument(name: str, option: Option, tokens: list[str]) -> str:
    """Take what follows an option's name out of ``tokens``; return what is wrong with it."""
    if option.argument == NOTHING:
        return ""
    has_as = bool(tokens) and tokens[0].upper() == "AS"
    if has_as:
        tokens.pop(0)
    if tokens and _is_argument(option, tokens[0]):
        tokens.pop(0)
        return ""
    is_missing = has_as or not option.optional
    return f"{option.argument} must follow {name}" if is_missing else ""


def _pass_argument_over(tokens: list[str]) -> None:
    """Leave out what may be the argument of a word that is wrong itself."""
    while tokens and (tokens[0][0] in "'0123456789" or tokens[0].upper() in {"AS", *SWITCHES}):
        tokens.pop(0)


def _is_argument(option: Option, token: str) -> bool:
    if option.words:
        return token.upper() in option.words
    return token.isdigit() if option.argument == NUMBER else token.startswith("'")
