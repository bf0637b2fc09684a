"""How long we wait: what several modules must agree on. Seconds, where the name does not say."""

CONNECT_SECONDS = 5  # for a connection to AWS
READ_SECONDS = 60  # for an answer of AWS
LONGEST_WAIT = 20  # between two tries

# In Redshift. Any statement, above all LOCK, until a transaction allows more; and the longest COPY.
LOCK_MILLISECONDS = 5 * 60 * 1000
COPY_MILLISECONDS = 30 * 60 * 1000
