"""How long we wait, in seconds: what several modules must agree on."""

CONNECT_SECONDS = 5  # for a connection to AWS
READ_SECONDS = 60  # for an answer of AWS
LONGEST_WAIT = 20  # between two tries
