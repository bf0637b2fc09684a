"""Objects of a pipeline in its bucket, as something that it needs: tried, and allowed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from botocore.exceptions import ClientError

from ..config.keys import DEAD_LETTER_PREFIX, KMS_KEY, S3_BUCKET
from ..config.resource import Fact, Failed, Finding, Resource, Statement
from ..config.setting import Settings
from .arns import Arns, no_pattern
from .findings import ERRORS, about, code_of, quick_client, status_of, why
from .iam import allow
from .layout import dead_letters_folder, files_folder
from .new_letters import new_letters
from .probe import UNCONDITIONAL, Probe, written
from .stored_as import stored_as


class Files(Resource):
    """Files of rows: each written once, and looked at.

    A write with If-None-Match needs PutObject alone, a look (HEAD) GetObject:
    docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html, …/API/API_HeadObject.html
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.tried_in = f"{files_folder(settings)}access-checks/"  # where no reader looks for rows

    @property
    def stored(self) -> Mapping[str, str]:
        """How they are stored, beside what holds for all that is written."""
        return stored_as(self.settings)

    def probe(self) -> Iterator[Finding]:
        """Try what writing files and finding them again takes."""
        with written(self.settings, self.tried_in, stored=self.stored) as probe:
            yield Finding("ok", f"{probe.place}: files can be written")
            yield _written_again(probe)
            yield _looked_at(probe)
            yield _missing(probe)
        yield from probe.left_behind

    def permissions(self, account: str) -> Iterator[Statement]:
        """Allow to write files, tagged if they are to be, and to look whether one is there."""
        arns = Arns(self.settings, account)
        files = arns.objects(files_folder(self.settings))
        yield allow("WriteFilesAndFindThem", "s3: PutObject GetObject", files)
        if "Tagging" in self.stored:
            yield allow("TagFiles", "s3: PutObjectTagging", files)
        yield tell_missing(arns)


class DeadLetterFiles(Resource):
    """Files of dead letters, which every pipeline may have to write."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.folder = dead_letters_folder(settings)

    def probe(self) -> Iterator[Finding]:
        """Try to write where they go."""
        where = about(DEAD_LETTER_PREFIX, self.settings[DEAD_LETTER_PREFIX])
        try:
            with written(self.settings, self.folder) as probe:
                yield Finding("ok", f"{where}: dead letters can be written")
        except Failed as failure:
            if code_of(failure.__cause__) == "NoSuchBucket":  # no more than the try of files says
                raise
            raise Failed(f"{where}: {failure}") from failure
        yield from probe.left_behind

    def state(self) -> Iterator[Fact]:
        """Tell how many files of them are new in the last day."""
        s3 = quick_client("s3", self.settings)
        try:
            yield new_letters(s3, self.settings)
        except ERRORS as error:
            where = about(S3_BUCKET, self.settings[S3_BUCKET])
            said = why(error, "s3:ListBucket")
            raise Failed(f"{where}: dead letters cannot be listed: {said}") from error

    def permissions(self, account: str) -> Iterator[Statement]:
        """Allow to write them, and the use of a key of one's own for whatever is written."""
        arns = Arns(self.settings, account)
        yield allow("KeepDeadLetters", "s3: PutObject", arns.objects(self.folder))
        yield from use_of_key(self.settings, arns, "EncryptWhatIsWritten", "GenerateDataKey")

    def permissions_to_operate(self, account: str) -> Iterator[Statement]:
        """Allow to list and to read them, too, and to write what was put back or settled."""
        arns = Arns(self.settings, account)
        yield from self.permissions(account)
        yield allow("ReadDeadLetters", "s3: GetObject", arns.objects(self.folder))
        yield from use_of_key(self.settings, arns, "DecryptDeadLetters", "Decrypt")
        yield tell_missing(arns)


def tell_missing(arns: Arns) -> Statement:
    """Let a look at a missing object be answered 404 and not 403: API_HeadObject.html.

    No condition on ``s3:prefix``, of which a look at an object has none. Whoever has it may list.
    """
    return allow("TellMissingObjectsFromForbiddenOnes", "s3: ListBucket", arns.bucket)


def use_of_key(settings: Settings, arns: Arns, sid: str, action: str) -> Iterator[Statement]:
    """Allow an action on the key, if it is one's own; AWS's is open to whoever may use S3.

    Of docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html, Decrypt is for reading
    what is in an object, and for uploads in parts, of which there are none. A key is not named by
    its alias, but by a condition: docs.aws.amazon.com/kms/latest/developerguide/alias-authorization
    """
    if (key := settings[KMS_KEY]) is None:
        return
    arn = key if ":" in key else arns.arn("kms", key)
    place, _, name = arn.rpartition(":")
    only = {"ForAnyValue:StringEquals": {"kms:ResourceAliases": name}}
    by_alias = name.startswith("alias/")
    resource = f"{place}:key/{'*' if by_alias else no_pattern(name.removeprefix('key/'))}"
    yield allow(sid, f"kms: {action}", resource, when=only if by_alias else None)


def _written_again(probe: Probe) -> Finding:
    try:
        probe.write()
    except ERRORS as error:
        if isinstance(error, ClientError) and status_of(error) == 412:
            return Finding("ok", f"{probe.place}: what is there is not written again (412)")
        said = why(error, "s3:PutObject")
        return Finding("problem", f"{probe.place}: a second conditional write: {said}")
    return Finding("problem", f"{probe.place}: {UNCONDITIONAL}")


def _looked_at(probe: Probe) -> Finding:
    try:
        probe.s3.head_object(Bucket=probe.bucket, Key=probe.key)
    except ERRORS as error:
        said = why(error, "s3:GetObject")
        return Finding("problem", f"{probe.place}: {probe.url} cannot be looked at: {said}")
    return Finding("ok", f"{probe.place}: files can be looked at")


def _missing(probe: Probe) -> Finding:
    try:
        probe.s3.head_object(Bucket=probe.bucket, Key=f"{probe.key}-missing")
    except ERRORS as error:
        if isinstance(error, ClientError) and status_of(error) == 404:
            return Finding("ok", f"{probe.place}: S3 says of a file that it is not there")
        if isinstance(error, ClientError) and status_of(error) == 403:
            return Finding(
                "note",
                f"{probe.place}: without the permission s3:ListBucket, S3 does not say of a file "
                "that it is not there; files are written all the same",
            )
        said = why(error)
        return Finding("problem", f"{probe.place}: a missing file cannot be looked for: {said}")
    return Finding("problem", f"{probe.place}: S3 says of a missing file that it is there")
