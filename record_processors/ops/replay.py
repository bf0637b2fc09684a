"""Files that are in S3 already, delivered once more: announced, or whatever their pipeline does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from ..aws.bucket import Bucket
from ..aws.clients import client
from ..aws.failures import Missing
from ..config.keys import APPLICATION_NAME, STREAM_NAME
from ..config.setting import Settings
from ..errors import Fatal
from ..files.announce import announce
from ..files.file import File
from ..flow.retry import Retry
from ..kcl.assembly import assemble
from .file_listing import FileListing
from .hours import Hours
from .pipelines import the_chain_emitter
from .redriven import Redriven
from .scratch import Scratch

LOOKS_AT_ONCE = 8
FILES_AT_ONCE = 500  # that are looked at, then delivered: as many messages as a call takes


class Replay:
    """Delivers files again, those of each shard in their order.

    Whoever loads them knows which are loaded. With ``stream`` they are only announced, there: to
    another pipeline, with a table of its own.
    """

    def __init__(self, settings: Settings, stream: str | None = None) -> None:
        self.settings = settings
        self.stream = stream
        self.bucket = Bucket.from_settings(settings)
        self.listing = FileListing(settings, self.bucket)
        self.scratch = Scratch(self.bucket.name)
        self.batch = 0  # of which the one file is

    def find(self, hours: Hours) -> int:
        """List the files of these hours; return how many there are. Raises Fatal."""
        self.scratch.add_listed(self.listing.files(hours))
        return self.scratch.count("SELECT count(*) FROM files")

    def find_one(self, url: str) -> int:
        """Take one file, by its address. Raises Fatal if it is none of this pipeline's.

        It may be one that ``redrive`` has written: if it is gone, it is written again.
        """
        listed = self.listing.file(url.removeprefix(self.scratch.prefix))
        if listed is None:
            folder = self.bucket.url(self.listing.folder)
            raise Fatal(f"{url} is no file of this pipeline: those are in {folder}")
        self.scratch.add_listed([listed])
        self.batch = listed.batch
        return 1

    def run(self, shown: Callable[[int], None]) -> int:
        """Deliver what was found; return how many files that were. Raises Fatal."""
        done = 0
        if self.batch and not self._is_there():
            Redriven(self.settings, self.listing).write(self.batch)
        deliver = self._deliverer()
        with ThreadPoolExecutor(LOOKS_AT_ONCE) as pool:
            for keys in self._keys():
                files = list(pool.map(self._file, keys))
                deliver(files)
                done += len(files)
                shown(done)
        return done

    def _is_there(self) -> bool:
        try:
            self.bucket.head(self.scratch.key(1))
        except Missing:
            return False
        return True

    def _keys(self) -> Iterator[list[str]]:
        number = 0
        while True:
            rows = self.scratch.rows(
                "SELECT number, key FROM files WHERE number > ? ORDER BY number LIMIT ?",
                number,
                FILES_AT_ONCE,
            )
            if not (found := [(int(str(number)), str(key)) for number, key in rows]):
                return
            number = found[-1][0]
            yield [key for _, key in found]

    def _file(self, key: str) -> File:
        listed = self.listing.file(key)
        place = File(bucket=self.bucket.name, key=key)
        if listed and not listed.batch:  # an old file may not say it
            application, stream = self.settings[APPLICATION_NAME], self.settings[STREAM_NAME]
            place = File(
                bucket=self.bucket.name,
                key=key,
                application=application,
                stream=stream,
                shard=listed.shard,
            )
        try:
            return place.completed(self.bucket.head(key))
        except Missing as error:
            raise Fatal(f"{place.url} is not there (any more)") from error
        except ValueError as error:
            raise Fatal(f"{place.url}: its metadata make no sense: {error}") from error

    def _deliverer(self) -> Callable[[Sequence[File]], None]:
        if (stream := self.stream) is None:
            return the_chain_emitter(assemble(self.settings).emitter).deliver_again
        kinesis, retry = client("kinesis", self.settings), Retry.from_settings(self.settings)
        return lambda files: announce(kinesis, stream, files, retry)
