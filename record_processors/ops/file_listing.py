"""The files of a pipeline, listed folder by folder, several at once, and never all in memory."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from itertools import islice
from typing import NamedTuple

from ..aws.bucket import Bucket
from ..aws.layout import FILE_NAME, LAYOUT, files_folder, hour_folders, hour_of, pattern_of
from ..config.setting import Settings
from ..flow.record import Position
from .hours import Hours

AT_ONCE = 8  # listings
WAITING = AT_ONCE  # folders that are asked for before their turn


class Listed(NamedTuple):
    """A file as a listing knows it: where in its shard it begins, but not where it ends."""

    shard: str
    first: Position
    key: str
    bytes: int
    written: float  # seconds since 1970
    hour: datetime  # at which its first record arrived


class Page(NamedTuple):
    """Some files below a prefix, the folders there, and where to go on."""

    prefix: str
    files: list[Listed]
    folders: list[str]
    token: str | None


class FileListing:
    """Lists what lies below a pipeline's folder as ``s3Layout`` says, and nothing else.

    The hours of files of a layout without hours are their days', and so on.
    """

    def __init__(self, settings: Settings, bucket: Bucket) -> None:
        self.bucket = bucket
        self.folder = files_folder(settings)
        self.layout = settings[LAYOUT]
        self._folders = re.compile(pattern_of(self.layout))

    def files(self, hours: Hours) -> Iterator[Listed]:
        """Yield the files that begin in these hours, folder by folder. Raises Fatal."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for page in self._pages(pool, self._prefixes(pool, hours)):
                yield from (listed for listed in page.files if hours.holds(listed.hour))

    def file(self, key: str, size: int = 0, written: float = 0.0) -> Listed | None:
        """Read a key; None if it is none of a file of this pipeline."""
        folders, _, name = key.removeprefix(self.folder).rpartition("/")
        place, named = self._folders.fullmatch(folders), FILE_NAME.fullmatch(name)
        if not (key.startswith(self.folder) and place and named):
            return None
        try:
            hour = hour_of(place)
        except ValueError:
            return None
        return Listed(named[1], Position(int(named[2]), int(named[3])), key, size, written, hour)

    def _prefixes(self, pool: ThreadPoolExecutor, hours: Hours) -> Iterable[str]:
        if (each := hours.each()) is not None:
            names = dict.fromkeys(hour_folders(self.layout, hour) for hour in each)
            return (f"{self.folder}{name}/" for name in names)
        prefixes: Iterable[str] = [self.folder]
        levels = self.layout.split("/")
        for depth in range(1, len(levels) + 1):
            begins = re.compile(re.escape(self.folder) + pattern_of("/".join(levels[:depth])) + "/")
            pages = self._pages(pool, prefixes, delimiter="/")
            prefixes = [one for page in pages for one in page.folders if begins.fullmatch(one)]
        return (one for one in prefixes if self._may_hold(one, hours))

    def _may_hold(self, prefix: str, hours: Hours) -> bool:
        place = self._folders.fullmatch(prefix.removeprefix(self.folder).rstrip("/"))
        try:
            return place is not None and hours.holds(hour_of(place))
        except ValueError:
            return False

    def _pages(
        self, pool: ThreadPoolExecutor, prefixes: Iterable[str], delimiter: str = ""
    ) -> Iterator[Page]:
        """List what begins with each prefix, in their order; some before their turn."""
        waiting = iter(prefixes)
        pending: deque[Future[Page]] = deque()

        def ask(prefix: str, token: str | None = None) -> Future[Page]:
            return pool.submit(self._page, prefix, token, delimiter)

        pending.extend(ask(prefix) for prefix in islice(waiting, WAITING))
        while pending:
            page = pending.popleft().result()
            if page.token:
                pending.appendleft(ask(page.prefix, page.token))
            else:
                pending.extend(ask(prefix) for prefix in islice(waiting, 1))
            yield page

    def _page(self, prefix: str, token: str | None, delimiter: str) -> Page:
        answer = self.bucket.page(prefix, token, delimiter)
        folders = [one["Prefix"] for one in answer.get("CommonPrefixes", ())]
        files = [
            listed
            for one in answer.get("Contents", ())
            if (listed := self.file(one["Key"], one["Size"], one["LastModified"].timestamp()))
        ]
        return Page(prefix, files, folders, answer.get("NextContinuationToken"))
