"""How long Redshift is waited for."""

# Any statement, above all LOCK, until a transaction allows more; and the longest COPY.
LOCK_MILLISECONDS = 5 * 60 * 1000
COPY_MILLISECONDS = 30 * 60 * 1000

LOGIN_SECONDS = 15
# Sent data that nobody acknowledges: a host that vanished must not hold the ledger's lock for ever.
DEAD_PEER_MILLISECONDS = 60 * 1000  # as long as the keepalives

# When somebody waits for the answer of `check --connect`.
PROBE_LOCK_MILLISECONDS = 5_000  # for a loader that is at work
PROBE_COPY_MILLISECONDS = 60_000  # the first COPY of a cluster is compiled

# When somebody only asks, as `status` and `audit` do: a load is never kept waiting by a queue of
# questions.
QUESTION_MILLISECONDS = 3_000

# The rows of a large table are counted in minutes; meanwhile a load waits for the ledger.
COUNT_MILLISECONDS = 60_000
