"""Where in the bucket a pipeline's things are: what their keys begin with."""

from __future__ import annotations

from ..config.keys import APPLICATION_NAME, DEAD_LETTER_PREFIX, S3_PREFIX
from ..config.setting import Settings


def files_folder(settings: Settings) -> str:
    """Return where files of rows are, in folders of the hours of their arrival."""
    return f"{settings[S3_PREFIX]}{settings[APPLICATION_NAME]}/"


def dead_letters_folder(settings: Settings) -> str:
    """Return where dead letters are."""
    return f"{settings[DEAD_LETTER_PREFIX]}{settings[APPLICATION_NAME]}/"
