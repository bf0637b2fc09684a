"""``python -m record_processors`` is ``kinesis-connectors``."""

import sys

from .cli import main

sys.exit(main())
