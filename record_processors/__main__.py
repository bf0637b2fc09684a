"""``python -m record_processors`` is ``kinesis-connectors``."""

import sys

from .commands.main import main

sys.exit(main())
