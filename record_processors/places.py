"""Where in the bucket a pipeline's things are: what their keys begin with."""

from __future__ import annotations

from .settings import APPLICATION_NAME, DEAD_LETTER_PREFIX, S3_PREFIX, Settings


def files_folder(settings: Settings) -> str:
    """Return where files of rows are, in folders of the hours of their arrival."""
    return f"{settings[S3_PREFIX]}{settings[APPLICATION_NAME]}/"


def manifests_folder(settings: Settings) -> str:
    """Return where the manifests are that COPY reads. No reader takes what is there for rows."""
    return f"{files_folder(settings)}manifests/"


def dead_letters_folder(settings: Settings) -> str:
    """Return where dead letters are."""
    return f"{settings[DEAD_LETTER_PREFIX]}{settings[APPLICATION_NAME]}/"
