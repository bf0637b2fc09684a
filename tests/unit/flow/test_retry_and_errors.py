"""Every error of a service is one of three kinds, and only one kind is tried again."""

import contextlib
import os
import re
from types import SimpleNamespace

import botocore.exceptions
import botocore.retries.standard as botocore_retries
import psycopg2
import pytest

from record_processors import Fatal, Retry, Transient
from record_processors.aws.failures import ConditionFailed, Denied, Missing, call, classify
from record_processors.config.keys import LONGEST_WAIT
from record_processors.config.properties import load
from record_processors.destinations.redshift.connection import Connection
from record_processors.destinations.redshift.errors import LoadFailed
from record_processors.destinations.redshift.errors import classify as classify_redshift
from record_processors.errors import TakenInPart, Unavailable
from record_processors.flow.in_part import NotTaken, send_all
from record_processors.flow.retry import Once
from support.fakes import properties


def client_error(code, status):
    answer = {
        "Error": {"Code": code, "Message": "…"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return botocore.exceptions.ClientError(answer, "PutObject")


# ---- AWS

CODES = sorted(
    {
        *botocore_retries.ThrottledRetryableChecker._THROTTLED_ERROR_CODES,
        *botocore_retries.TransientRetryableChecker._TRANSIENT_ERROR_CODES,
    }
)


def test_botocore_still_lists_codes():
    """The lists that the next test reads hold something."""
    assert {"SlowDown", "ThrottlingException", "RequestTimeout"} <= set(CODES)


@pytest.mark.parametrize("code", CODES)
def test_what_botocore_would_try_again_is_transient(code):
    """Every code that botocore's own retries know is transient to us, whatever its status is."""
    assert isinstance(classify(client_error(code, 400), "x"), Transient)


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("InternalError", 500, Unavailable),
        ("SomethingNew", 500, Unavailable),
        ("NotImplemented", 501, Unavailable),
        ("502", 502, Unavailable),
        ("ServiceUnavailable", 503, Unavailable),
        ("504", 504, Unavailable),
        ("InternalFailure", 500, Unavailable),
        ("KMSThrottlingException", 400, Unavailable),
        ("ConditionalRequestConflict", 409, Transient),
        ("OperationAborted", 409, Transient),
        ("BadDigest", 400, Transient),
        ("IDPCommunicationError", 400, Unavailable),
        ("PreconditionFailed", 412, ConditionFailed),
        ("412", 412, ConditionFailed),
        ("ConditionalCheckFailedException", 400, ConditionFailed),
        ("NoSuchKey", 404, Missing),
        ("404", 404, Missing),
        ("NoSuchBucket", 404, Fatal),
        ("ResourceNotFoundException", 400, Fatal),
        ("AccessDenied", 403, Denied),
        ("403", 403, Denied),
        ("ExpiredToken", 400, Transient),
        ("InvalidAccessKeyId", 403, Fatal),
        ("RequestTimeTooSkewed", 403, Transient),
        ("TokenRefreshRequired", 400, Transient),
        ("IncompleteBody", 400, Transient),
        ("XAmzContentSHA256Mismatch", 400, Transient),
        ("TemporaryRedirect", 307, Unavailable),
        ("ReplicatedWriteConflictException", 400, Transient),
        ("InvalidSignatureException", 403, Fatal),
        ("UnrecognizedClientException", 400, Fatal),
        ("KMS.NotFoundException", 400, Fatal),
        ("ValidationException", 400, Fatal),
    ],
)
def test_aws_codes(code, status, kind):
    """Throttling and 5xx pass by themselves, what else may pass is tried, the rest is fatal."""
    assert type(classify(client_error(code, status), "x")) is kind


@pytest.mark.parametrize(
    "words", ["Signature expired: 1 is now earlier", "Signature not yet current"]
)
def test_a_clock_that_is_wrong_is_set(words):
    """A skewed clock has the code of a wrong key, but other words."""
    answer = {
        "Error": {"Code": "InvalidSignatureException", "Message": words},
        "ResponseMetadata": {"HTTPStatusCode": 403},
    }
    assert type(classify(botocore.exceptions.ClientError(answer, "PutRecord"), "x")) is Transient


CONNECTION = {"endpoint_url": "https://s3", "error": "reset", "proxy_url": "http://p"}


@pytest.mark.parametrize(
    "error",
    [
        botocore.exceptions.EndpointConnectionError(**CONNECTION),
        botocore.exceptions.ConnectTimeoutError(**CONNECTION),
        botocore.exceptions.ReadTimeoutError(**CONNECTION),
        botocore.exceptions.ConnectionClosedError(**CONNECTION),
        botocore.exceptions.ProxyConnectionError(**CONNECTION),
        botocore.exceptions.HTTPClientError(**CONNECTION),
        botocore.exceptions.IncompleteReadError(actual_bytes=1, expected_bytes=2),
        botocore.exceptions.ResponseStreamingError(error="cut"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_connections_pass_by_themselves(error):
    """A connection that is refused, cut, or too slow passes by itself."""
    assert type(classify(error, "x")) is Unavailable


@pytest.mark.parametrize(
    "error",
    [
        botocore.exceptions.SSLError(**CONNECTION),
        botocore.exceptions.CredentialRetrievalError(provider="iam", error_msg="x"),
        botocore.exceptions.NoCredentialsError(),  # which the metadata service may have in a moment
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_may_stay_is_tried(error):
    """A certificate that is not taken and missing credentials may be a matter of a moment."""
    assert type(classify(error, "x")) is Transient


@pytest.mark.parametrize(
    "error",
    [
        botocore.exceptions.PartialCredentialsError(provider="env", cred_var="AWS_SECRET"),
        botocore.exceptions.ParamValidationError(report="bad"),
        botocore.exceptions.InvalidRegionError(region_name="x y"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_stays_wrong_is_fatal(error):
    """A call that cannot be made at all is not tried again."""
    assert type(classify(error, "x")) is Fatal


def test_the_sentence_says_what_was_tried():
    """The error that a person sees names the object and the service's own words."""
    sentence = str(classify(client_error("AccessDenied", 403), "writing s3://bucket/key"))
    assert sentence.startswith("writing s3://bucket/key: ")
    assert "AccessDenied" in sentence


# ---- Redshift


def redshift(state, message="…", kind=psycopg2.DatabaseError):
    return type("Faked", (kind,), {"pgcode": state})(message)


STL = "Load into table 'flights' failed.  Check 'stl_load_errors' system table for details."


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (
            redshift("XX000", "1023\nDETAIL:  Serializable isolation violation on table"),
            Unavailable,
        ),
        (redshift("XX000", "ERROR:  1023"), Unavailable),
        (
            redshift("XX000", "1023\nDETAIL:  Serializable isolation violation, manifest"),
            Unavailable,
        ),
        (redshift("XX000", f"{STL} Line 1023."), LoadFailed),
        (redshift("XX000", "could not open relation with OID 6134794"), Unavailable),
        (redshift("42P01", "Relation with OID 15170212 does not exist"), Unavailable),
        (redshift("XX000", "table 100140 dropped by concurrent transaction"), Unavailable),
        (redshift("42P01", "table 100140 dropped by concurrent transaction"), Unavailable),
        (
            redshift("XX000", "could not complete because of conflict with concurrent transaction"),
            Unavailable,
        ),
        (redshift("25P02", "current transaction is aborted"), Unavailable),
        (redshift("25006", "cannot execute COPY in a read-only transaction"), Unavailable),
        (redshift("40003", "statement completion unknown"), Unavailable),
        (redshift("55006", "object in use"), Unavailable),
        (redshift("57014", "Query (150) canceled on user's request"), Unavailable),
        (redshift("57014", "Query (150) cancelled by WLM abort action"), Unavailable),
        (redshift("58030", "could not read block"), Unavailable),
        (redshift("XX000", "Disk Full\nDETAIL: code: 1016"), Unavailable),
        (redshift("40001"), Unavailable),
        (redshift("40P01", "deadlock detected"), Unavailable),
        (redshift("55P03", "lock not available"), Unavailable),
        (redshift("57P01", "terminating connection"), Unavailable),
        (redshift("57014", "canceling statement due to statement timeout"), Unavailable),
        (redshift("53300", "too many connections"), Unavailable),
        (redshift("53100", "Disk Full"), Unavailable),
        (redshift("08006", "connection failure"), Unavailable),
        (redshift(None, "server closed the connection", psycopg2.OperationalError), Unavailable),
        (redshift(None, "connection already closed", psycopg2.InterfaceError), Unavailable),
        # As psycopg2 tells of a connection that timed out: its issues 356 and 1496.
        (redshift(None, "SSL SYSCALL error: Connection timed out"), Unavailable),
        (redshift(None, "error with status PGRES_TUPLES_OK and no message"), Unavailable),
        (redshift("XX000", "ERROR: Disk Full\nDETAIL: code: 1016"), Unavailable),
        (
            redshift(
                "XX000", "Spectrum Scan Error\nDETAIL: code: 15007 context: File 'https://s3…"
            ),
            LoadFailed,
        ),
        (redshift("XX000", "Spectrum Scan Error: Retries exceeded"), Unavailable),
        (redshift("XX000", "Spectrum Scan Error: Access throttled"), Unavailable),
        (redshift("XX000", "S3Query Exception Connection failed, retries exceeded."), Unavailable),
        (
            redshift("XX000", "Problem reading manifest file - S3CurlException: timed out"),
            Unavailable,
        ),
        (redshift("XX000", STL), LoadFailed),
        (redshift("XX000", "The specified S3 prefix 'a' does not exist"), LoadFailed),
        (
            redshift("XX000", "S3ServiceException:The specified key does not exist.,Status 404"),
            LoadFailed,
        ),
        (redshift("XX000", "Cannot insert a NULL value into column text. code: 8007"), LoadFailed),
        (redshift("XX000", "Assert code: 1000"), LoadFailed),
        (redshift("54000", "program limit exceeded"), LoadFailed),
        (redshift("22001", "value too long for type character varying(1)"), LoadFailed),
        (redshift("22P04", "missing data for column"), LoadFailed),
        (redshift("XX000", "S3ServiceException:Slow,Status 503,Error SlowDown"), Unavailable),
        (redshift("XX000", "S3ServiceException:Access Denied,Status 403"), LoadFailed),
        (
            redshift("XX000", "S3ServiceException:The token has expired,Error ExpiredToken"),
            Unavailable,
        ),
        (
            redshift("XX000", "S3ServiceException:x is not authorized to perform: kms:Decrypt"),
            LoadFailed,
        ),
        (redshift("23502", "null value in column"), LoadFailed),
        (redshift("XX000", "User arn:aws:x is not authorized to assume IAM Role"), Fatal),
        (redshift("42P01", "relation does not exist"), Fatal),
        (redshift("42703", "column does not exist"), Fatal),
        (redshift("42601", "syntax error"), Fatal),
        (redshift("42501", "permission denied"), Fatal),
        (redshift("28P01", "password authentication failed", psycopg2.OperationalError), Fatal),
        (redshift("28000", "no entry", psycopg2.OperationalError), Fatal),
        (redshift("3D000", "database does not exist", psycopg2.OperationalError), Fatal),
        (redshift("0A000", "not supported"), Fatal),
    ],
    ids=lambda value: f"{value.pgcode} {str(value)[:20]}" if isinstance(value, Exception) else None,
)
def test_redshift_errors(error, kind):
    """Conflicts and lost connections pass; bad data is a file's fault; the rest needs a person."""
    assert type(classify_redshift(error, of_copy=True)) is kind


@pytest.mark.parametrize("state", ["22001", "23502"])
def test_only_copy_complains_of_files(state):
    """A value that does not fit is no file's fault when another statement says so."""
    error = redshift(state, "value too long for type character varying(1)")
    assert type(classify_redshift(error)) is Fatal


@pytest.mark.parametrize("name", ["api_throttles", "slowdown", "x concurrent transaction", "a.b"])
def test_a_tables_name_is_no_error(name):
    """What a table or a file is called does not make a bad row pass, or a passing failure fatal."""
    text = f"Load into table '{name}' failed.  Check 'sys_load_error_detail' for details"
    assert type(classify_redshift(redshift("XX000", text), of_copy=True)) is LoadFailed
    text = f'could not complete because of conflict with concurrent transaction on "{name}"'
    assert type(classify_redshift(redshift("XX000", text), of_copy=True)) is Unavailable
    text = f"Query cancelled on user's request of s3://bucket/{name.split()[0]}"
    assert type(classify_redshift(redshift("42501", text), of_copy=True)) is Fatal


SERVER = 'connection to server at "{}" (10.0.0.1), port 5439 failed: '


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("Connection refused", Unavailable),
        ("timeout expired", Unavailable),
        ("SSL SYSCALL error: EOF detected", Unavailable),
        ("SSL connection has been closed unexpectedly", Unavailable),
        ("SSL error: unexpected eof while reading", Unavailable),
        ("server closed the connection unexpectedly", Unavailable),
        ("FATAL:  the database system is starting up", Unavailable),
        ('FATAL:  connection limit "500" exceeded for non-bootstrap users', Unavailable),
        (
            'could not translate host name "no-such" to address: Name or service not known',
            Unavailable,
        ),
        ('FATAL:  password authentication failed for user "x"', Fatal),
        ('FATAL:  database "x" does not exist', Fatal),
        ('FATAL:  no pg_hba.conf entry for host "::ffff:10.0.0.2", user "x", SSL off', Fatal),
        ("SSL error: certificate verify failed", Fatal),
        ("server does not support SSL, but SSL was required", Fatal),
    ],
)
@pytest.mark.parametrize("host", ["x.redshift.amazonaws.com", "authentication-SSL.denied"])
def test_logins(monkeypatch, host, said, kind):
    """A server that is away comes back, a wrong login does not; a host may have any name."""

    def connect(**how):
        raise psycopg2.OperationalError(SERVER.format(host) + said)

    monkeypatch.setattr(psycopg2, "connect", connect)
    warehouse = Connection(f"{host}:5439/dev", lambda: ("x", "secret"), "verify-full", "roots.pem")
    with pytest.raises((Transient, Fatal)) as raised, warehouse.transaction():
        pass
    assert type(raised.value) is kind
    assert host in str(raised.value)


# ---- Retry


def failing(times, error=None):
    """Return an action that raises so many times, and the list of its calls."""
    calls = []

    def action():
        calls.append(1)
        if len(calls) <= times:
            raise error or Transient("throttled")
        return "done"

    return action, calls


def test_tries_until_it_succeeds(waits):
    """A passing failure is tried again, with a wait before each try, and the result returned."""
    action, calls = failing(3)
    assert Retry(5, 100)("writing", action) == "done"
    assert (len(calls), len(waits)) == (4, 3)


def test_gives_up_after_the_limit(waits):
    """After as many tries as the setting says, the failure is fatal, and the setting is named."""
    action, calls = failing(99)
    with pytest.raises(Fatal, match=r"writing: given up after 3 tries \(retryLimit\): throttled"):
        Retry(3, 100)("writing", action)
    assert (len(calls), len(waits)) == (3, 2)


def test_a_part_of_what_is_tried_again_says_what_it_was(waits):
    """A single try hands a passing failure on, with what was tried, to whoever tries again."""
    action, calls = failing(99)
    with pytest.raises(Transient, match="writing: throttled"):
        Once()("writing", action)
    assert (len(calls), waits) == (1, [])


@pytest.mark.parametrize("error", [Fatal("no bucket"), ConditionFailed("x"), ValueError("x")])
def test_what_does_not_pass_is_not_tried_again(error, waits):
    """Any other failure goes through as it is, after one try."""
    action, calls = failing(99, error)
    with pytest.raises(type(error)) as raised:
        Retry(5, 100)("writing", action)
    assert raised.value is error
    assert (len(calls), waits) == (1, [])


def test_waits_grow_with_jitter_and_are_bounded(waits, monkeypatch):
    """The longest wait doubles from the interval on, up to 20 s; the wait itself is random."""
    longest = []
    monkeypatch.setattr("random.uniform", lambda low, high: longest.append((low, high)) or high / 2)
    with pytest.raises(Fatal):
        Retry(12, 100)("writing", failing(99)[0])
    assert [2 * wait for wait in waits] == pytest.approx(
        [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 20, 20, 20]
    )
    assert {low for low, _ in longest} == {0}


def test_stops_when_the_daemon_is_gone(monkeypatch):
    """A child whose daemon dies while it waits tries nothing more: the shard may be another's."""
    retry = Retry(50, 100, os.getppid())
    action, calls = failing(99)
    orphaned = SimpleNamespace(sleep=lambda _: monkeypatch.setattr(os, "getppid", lambda: 1))
    monkeypatch.setattr("tenacity.nap.time", orphaned)
    with pytest.raises(Fatal, match="the daemon that started this process is gone"):
        retry("writing", action)
    assert len(calls) == 1


def test_limits_come_from_the_file(tmp_path, waits):
    """The two settings are what a Retry works with."""
    retry = Retry.from_settings(load(properties(tmp_path, {"retryLimit": "2"})))
    with pytest.raises(Fatal, match="after 2 tries"):
        retry("x", failing(99)[0])


def unavailable(times):
    """Return an action that finds a service down so many times, and the list of its calls."""
    return failing(times, Unavailable("503"))


def test_an_outage_is_waited_for(waits):
    """While a service is down, tries go on beyond the limit, until it is back."""
    action, calls = unavailable(60)
    assert Retry(3, 100, patience=3600)("writing", action) == "done"
    assert len(calls) == 61


def test_patience_ends(waits):
    """A service that stays down longer than the setting says ends the process, and names it."""
    action, _ = unavailable(9999)
    with pytest.raises(Fatal, match=r"given up after 36\d\d seconds \(outagePatience\): 503"):
        Retry(3, 100, patience=3600)("writing", action)
    assert 3600 <= sum(waits) < 3600 + LONGEST_WAIT


def test_patience_does_not_take_tries_away(waits):
    """A short patience leaves the tries of retryLimit."""
    action, calls = unavailable(9999)
    with pytest.raises(Fatal):
        Retry(5, 100, patience=0.001)("writing", action)
    assert len(calls) == 5


def test_patience_is_for_services_that_are_down(waits):
    """What may stay as it is has its tries, before an outage and after it."""
    action, calls = raising(IN_VAIN, *[Unavailable("503")] * 30, *[IN_VAIN] * 99)
    with pytest.raises(Fatal, match=r"given up after 3 tries \(retryLimit\): throttled"):
        Retry(3, 100, patience=3600)("writing", action)
    assert len(calls) == 1 + 30 + 2


def test_patience_begins_anew_when_something_moves(waits):
    """An outage is counted from the last thing that was taken."""
    hour = [Unavailable("503")] * 400
    action, _ = raising(*hour[:200], MOVED, *hour[:200])
    assert Retry(3, 100, patience=3600)("writing", action) == "done"
    assert sum(waits) > 3600


def test_an_outage_is_told_once_a_minute(waits, caplog):
    """The log says since when, for how long yet, and when it is over; not each of the tries."""
    action, _ = unavailable(90)
    Retry(3, 100, patience=7200)("writing", action)
    said = [record.getMessage() for record in caplog.records]
    assert said[:2] == ["writing: try 1: 503", "writing: try 2: 503"]
    outage = (
        r"writing: fails since \d\d:\d\d:\d\dZ, \d+ tries: 503; it is tried until \d\d:.*Z \(out"
    )
    assert all(re.match(outage, line) for line in said[2:-1])
    assert 5 <= len(said) - 3 <= sum(waits) / 60
    assert re.fullmatch(r"writing: goes on, after \d+ minutes", said[-1])


def test_who_asks_for_it_knows_of_an_outage_in_a_part(waits):
    """A single try hands on what kind of failure it was."""
    with pytest.raises(Unavailable, match="writing: 503"):
        Once()("writing", unavailable(1)[0])


def test_call_classifies(waits):
    """A call of boto3 is tried again when it is throttled, and its answer returned."""
    action, calls = failing(2, client_error("SlowDown", 503))
    assert call(Retry(5, 100), "x", action) == "done"
    assert len(calls) == 3
    with pytest.raises(ConditionFailed):
        call(Retry(5, 100), "x", failing(1, client_error("PreconditionFailed", 412))[0])


# ---- what is taken in part


def raising(*errors):
    """Return an action that raises these in turn, and the list of its calls."""
    calls = []

    def action():
        calls.append(1)
        if len(calls) <= len(errors):
            raise errors[len(calls) - 1]
        return "done"

    return action, calls


MOVED, IN_VAIN = TakenInPart("one is left"), Transient("throttled")


def test_while_something_moves_the_budget_begins_anew(waits):
    """Tries after which less is left do not count, nor do those in vain before them."""
    action, calls = raising(*[MOVED] * 9, *[IN_VAIN] * 2, MOVED, *[IN_VAIN] * 2)
    assert Retry(3, 100)("putting", action) == "done"
    assert (len(calls), len(waits)) == (15, 14)


def test_when_nothing_moves_any_more_it_is_given_up(waits):
    """The limit counts what was in vain since something moved last."""
    action, calls = raising(*[IN_VAIN] * 2, *[MOVED] * 2, *[IN_VAIN] * 99)
    with pytest.raises(Fatal, match=r"putting: given up after 3 tries \(retryLimit\): throttled"):
        Retry(3, 100)("putting", action)
    assert len(calls) == 2 + 2 + 3


def test_waits_begin_anew_when_something_moves(waits, monkeypatch):
    """Back-off is for what does not move: after a step forward the waits are short again."""
    monkeypatch.setattr("random.uniform", lambda low, high: high)
    action, _ = raising(*[IN_VAIN] * 5, MOVED, IN_VAIN, IN_VAIN)
    Retry(12, 100)("putting", action)
    assert waits[:5] == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6])
    assert waits[5] <= 0.1
    assert waits[6:] == pytest.approx([0.1, 0.2])


class Service:
    """Refuses items as told, call by call, or raises; takes the rest."""

    def __init__(self, *refusals, passes=True):
        self.refusals = list(refusals)
        self.passes = passes
        self.calls = []

    def __call__(self, items):
        self.calls.append("".join(items))
        refused = self.refusals.pop(0) if self.refusals else {}
        if isinstance(refused, Exception):
            raise refused
        places = [place for place, item in enumerate(items) if item in refused]
        return NotTaken(places, [refused[items[place]] for place in places], self.passes)


def test_only_what_was_left_is_sent_again(waits):
    """What a call did not take goes again, in its order, and nothing else does."""
    service = Service({"b": "slow", "d": "slow", "e": "slow"}, {"b": "slow", "e": "slow"})
    send_all(Retry(2, 100), "putting", "abcde", service)
    assert service.calls == ["abcde", "bde", "be"]


def test_a_call_that_fails_as_a_whole_is_repeated(waits):
    """Where nothing is known to have been taken, the same items go again."""
    service = Service({"b": "slow", "c": "slow"}, Transient("reset"), Transient("reset"))
    send_all(Retry(3, 100), "putting", "abc", service)
    assert service.calls == ["abc", "bc", "bc", "bc"]


def test_what_nobody_takes_is_given_up(waits):
    """The sentence says how much is left, and each of the service's reasons once."""
    refused = {"b": "throttled", "c": "broken", "d": "throttled"}
    service = Service(*[refused] * 9)
    said = "putting: given up after 2 tries .*: 3 of 4 refused with broken, throttled"
    with pytest.raises(Fatal, match=said):
        send_all(Retry(2, 100), "putting", "abcd", service)
    assert service.calls == ["abcd", "bcd", "bcd"]


@pytest.mark.parametrize(("passes", "calls"), [(True, 200), (False, 1 + 2)])
def test_patience_is_for_what_passes_by_itself(passes, calls, waits):
    """Where nothing is taken for a reason that may stay, the limit ends it, not the patience."""
    service = Service(*[{"b": "slow"}] * 199, passes=passes)
    with contextlib.suppress(Fatal):
        send_all(Retry(2, 100, patience=3600), "putting", "ab", service)
    assert len(service.calls) == calls


def test_nothing_is_sent_again_when_all_is_taken(waits):
    """One call is enough then, without a wait."""
    service = Service()
    send_all(Retry(2, 100), "putting", "abc", service)
    assert (service.calls, waits) == (["abc"], [])
