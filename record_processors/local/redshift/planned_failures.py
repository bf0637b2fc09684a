"""Failures of COPY that a test plans: any SQLSTATE and message, for the files that it names.

In SQL, on any connection, ``%`` standing for any text as in LIKE::

    SELECT stand_in.fail_copy('s3://bucket/key', 'XX000', 'Cannot insert a NULL value into …', 8007)

The next COPY that comes to such a file fails so. A fifth argument says how many COPYs do (1), null
that all do; ``DELETE FROM stand_in.planned_failures`` ends that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from record_processors.local.redshift.failures import CopyError

if TYPE_CHECKING:
    from record_processors.local.redshift.postgres import Cluster

SETUP = """
CREATE TABLE IF NOT EXISTS stand_in.planned_failures (
    id bigint GENERATED ALWAYS AS IDENTITY, file text, code text, message text, number integer,
    times integer);
CREATE OR REPLACE FUNCTION stand_in.fail_copy(file text, code text, message text,
    number integer DEFAULT 8001, times integer DEFAULT 1) RETURNS void LANGUAGE sql AS
    'INSERT INTO stand_in.planned_failures (file, code, message, number, times)
     VALUES ($1, $2, $3, $4, $5)';
GRANT SELECT ON stand_in.planned_failures TO PUBLIC;
"""
# Tells whether to look at all; in a COPY's own session, and so by its own snapshot.
ANY_PLANNED = "(SELECT pg_catalog.count(*) > 0 FROM stand_in.planned_failures)"

_TAKE = """
WITH chosen AS (
    SELECT id FROM stand_in.planned_failures
    WHERE %s LIKE file AND (times IS NULL OR times > 0) ORDER BY id LIMIT 1 FOR UPDATE)
UPDATE stand_in.planned_failures p SET times = p.times - 1 FROM chosen WHERE p.id = chosen.id
RETURNING p.code, p.message, p.number
"""


def planned_failure(cluster: Cluster, url: str) -> CopyError | None:
    """Return the failure that is planned for a file, and count it."""
    own = cluster.connect(options="-c default_transaction_isolation=read\\ committed")
    try:
        with own.cursor() as cursor:
            cursor.execute(_TAKE, (url,))
            found = cursor.fetchone()
    finally:
        own.close()
    if found is None:
        return None
    code, message, number = found
    return CopyError(message, code=code, context=message, number=number)
