"""The stack of a fleet: a valid template, which is made, changed and taken away without a rest."""

import base64
import contextlib
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from record_processors.commands import main as cli
from record_processors.config.host_metrics import HEALTHY, OF_A_HOST, RESTARTS
from record_processors.config.metric import Metric
from record_processors.config.properties import load
from record_processors.fleet import midstream
from record_processors.fleet.stack import MOST_BYTES_IN_A_REQUEST
from record_processors.flow.metrics import OF_EVERY_PIPELINE, RECORDS_READ, RECORDS_REFUSED
from record_processors.kcl.metric_formats import NAMESPACE, log_group
from record_processors.kcl.policy import policy_of
from support.cloud_formation import ACCOUNT, NAME, Made, findings, ministack, read, substituted
from support.fakes import STAGE_TWO, properties

PAIR = ("properties/s3_manifest.properties", "properties/redshift_manifest.properties")
POLICIES = dict(zip(PAIR, ("FlightsToS3Policy", "FlightsToRedshiftPolicy"), strict=True))


def template_of(*words):
    """Return what the command prints."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        assert cli.main(["cloudformation", *words]) == 0
    return printed.getvalue()


@pytest.fixture(scope="module", autouse=True)
def typed():
    """Let the command that a template names not be pytest's, which may be long."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["kinesis-connectors", "cloudformation", *PAIR])
        yield


@pytest.fixture(scope="module")
def template(typed):
    """Return the template of the two shipped pipelines."""
    return template_of(*PAIR)


@pytest.fixture(scope="module")
def made(template):
    """Make the stack of the two shipped pipelines."""
    with ministack() as client:
        stack = Made(client, template)
        stack.create()
        yield stack


def test_what_the_field_checks_with_finds_nothing(template, tmp_path):
    """cfn-lint says not a word, of two pipelines or one, from an index or a folder of S3."""
    other = template_of(
        "properties/opensearch.properties", "--source", "s3://bucket/connectors", "--hosts", "1"
    )
    paths = [tmp_path / "two.yaml", tmp_path / "one.yaml"]
    for path, text in zip(paths, [template, other], strict=True):
        path.write_text(text, encoding="utf-8")

    assert findings(paths) == ""


def test_a_life_of_the_stack(made, template):
    """It is made; a change of a file is a new version of the hosts' template; nothing is left."""
    first = made.group()["LaunchTemplate"]["Version"]
    made.update(template.replace("bufferRecordCountLimit = 10000", "bufferRecordCountLimit = 9999"))
    second = made.group()["LaunchTemplate"]["Version"]
    made.update(template)
    third = made.group()["LaunchTemplate"]["Version"]
    assert (first, second, third) == ("1", "2", "3")

    made.delete()
    assert made.things() == made.before
    made.create()
    assert made.things() != made.before


def test_a_template_of_another_size_is_deployed(made, template):
    """The command at its head says its sizes: what it did not say would stay as it was before."""

    def sizes():
        group, (data, _) = made.group(), user_data_of(made)
        return group["MinSize"], group["MaxSize"], data["InstanceType"]

    before = sizes()
    larger = template_of(*PAIR, "--hosts", "6", "--shards", "events=64")
    made.deploy(larger)
    after = sizes()
    made.update(template)
    said = read(larger)["Parameters"]

    assert after == tuple(
        said[name]["Default"] for name in ("MinHosts", "MaxHosts", "InstanceType")
    )
    assert all(one != other for one, other in zip(before, after, strict=True))


def test_the_readme_deploys_what_is_printed(template):
    """The sizes in its command are those at the head of the template that it makes."""
    (sizes,) = re.findall(r"^#     (MinHosts=.*) \\$", template, re.MULTILINE)
    assert f"    {sizes} FlightsToRedshift" in Path("README.md").read_text(encoding="utf-8")


def test_the_shipped_pipelines_fit_a_request(tmp_path):
    """Their template is deployed without a bucket, though their files grow by 1,000 bytes."""
    file = tmp_path / "stack.yaml"
    source = ["--source", "s3://my-bucket/connectors"]
    assert cli.main(["cloudformation", *PAIR, *source, "--into", str(file)]) == 0

    assert file.stat().st_size < MOST_BYTES_IN_A_REQUEST - 1000
    assert "--s3-bucket" not in file.read_text(encoding="utf-8")


def test_a_template_that_no_request_holds(tmp_path, capsys):
    """It is deployed by a bucket: the command at its head, and a sentence, say so."""
    paths = []
    for number in range(5):
        (tmp_path / str(number)).mkdir()
        paths.append(properties(tmp_path / str(number), {"applicationName": f"flights-{number}"}))
    assert cli.main(["cloudformation", *paths]) == 0
    output = capsys.readouterr()
    (command,) = re.findall(r"^#   aws cloudformation deploy .* \\$", output.out, re.MULTILINE)

    assert len(output.out) > MOST_BYTES_IN_A_REQUEST
    assert command.endswith("--template-file stack.yaml --s3-bucket BUCKET \\")
    assert "takes it by a bucket of yours alone, --s3-bucket BUCKET" in output.err


def test_hosts_write_to_what_is_there(template):
    """Log groups are made before the hosts and go after them: hosts come by way of their role."""
    resources = read(template)["Resources"]

    def named(value):
        if isinstance(value, dict):
            for key, member in value.items():
                if key in {"Ref", "Fn::GetAtt"}:
                    yield member.partition(".")[0]
                yield from named(member)
        elif isinstance(value, list):
            for member in value:
                yield from named(member)

    before, new = set(), {"Hosts"}
    while new:
        before |= new
        new = {one for each in new for one in named(resources[each])} & resources.keys() - before
    groups = {name for name, one in resources.items() if one["Type"] == "AWS::Logs::LogGroup"}

    assert len(groups) == 4
    assert groups <= before


@pytest.mark.parametrize("path", PAIR)
def test_a_host_may_do_what_its_pipelines_need(path, made):
    """The policy of each pipeline, as it is in IAM, is what `iam-policy` prints for the account."""
    iam = made.client("iam")
    arn = made.id_of(POLICIES[path])
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    found = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
    attached = iam.list_attached_role_policies(RoleName=made.id_of("Role"))["AttachedPolicies"]

    assert found == policy_of(load(path), ACCOUNT)
    assert {one["PolicyArn"] for one in attached} == {
        *(made.id_of(policy) for policy in POLICIES.values()),
        "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore",
    }


def test_what_a_host_may_do_beside_its_pipelines(made):
    """It may write its own logs, leave its own group, list letters, read its password; no more."""
    host = made.client("iam").get_role_policy(RoleName=made.id_of("Role"), PolicyName="host")
    allowed = {
        (action, resource)
        for statement in host["PolicyDocument"]["Statement"]
        for action in statement["Action"]
        for resource in statement["Resource"]
    }
    here = f"us-east-1:{ACCOUNT}"
    groups = [f"kinesis-connectors/{name}" for name in ("flights-to-s3", "flights-to-redshift")]
    groups += [log_group(name.rpartition("/")[2]) for name in groups]
    group = f"arn:aws:autoscaling:{here}:autoScalingGroup:*:autoScalingGroupName/{NAME}"
    password = made.parameters["FlightsToRedshiftRedshiftPasswordSecret"]

    assert allowed == {
        *(
            (f"logs:{action}", f"arn:aws:logs:{here}:log-group:{name}:*")
            for action in ("CreateLogStream", "DescribeLogStreams", "PutLogEvents")
            for name in groups
        ),
        ("autoscaling:CompleteLifecycleAction", group),
        ("autoscaling:SetInstanceHealth", group),
        ("s3:ListBucket", "arn:aws:s3:::kinesis-connectors"),
        ("secretsmanager:GetSecretValue", password),
    }


def test_what_a_closed_network_needs_is_added(made, template):
    """Security groups and a policy of one's own are added to the hosts', if they are said."""
    firewall = made.id_of("Firewall")
    ours = {"ExtraSecurityGroupIds": "sg-0a,sg-0b"}
    iam = made.client("iam")
    document = json.dumps(policy_of(load(PAIR[0]), ACCOUNT))
    ours["ExtraPolicyArn"] = iam.create_policy(PolicyName="ours", PolicyDocument=document)[
        "Policy"
    ]["Arn"]

    def of_the_host():
        data, _ = user_data_of(made)
        role = iam.list_attached_role_policies(RoleName=made.id_of("Role"))["AttachedPolicies"]
        return data["SecurityGroupIds"], {one["PolicyArn"] for one in role}

    groups, policies = of_the_host()
    assert groups == [firewall]
    made.parameters.update(ours)
    made.update(template)
    try:
        assert of_the_host() == (
            [firewall, "sg-0a", "sg-0b"],
            policies | {ours["ExtraPolicyArn"]},
        )
    finally:
        for name in ours:
            del made.parameters[name]
        made.update(template)
    assert of_the_host()[0] == [firewall]


def test_the_program_from_s3_may_be_fetched():
    """With a folder of S3, the hosts may list and read that folder, and no other."""
    said = read(template_of(PAIR[0], "--source", "s3://wheels/connectors/1.2/"))
    host = said["Resources"]["Role"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    names = {"AWS::Partition": "aws"}
    found = {
        statement["Sid"]: substituted(statement, names)
        for statement in host
        if statement["Action"][0].startswith("s3:")
    }

    assert found["FetchTheProgram"]["Resource"] == ["arn:aws:s3:::wheels/connectors/1.2/*"]
    assert found["ListTheProgram"]["Resource"] == ["arn:aws:s3:::wheels"]
    assert found["ListTheProgram"]["Condition"] == {"StringLike": {"s3:prefix": "connectors/1.2/*"}}


def user_data_of(made):
    """Return the script that the hosts are started with, as it is in EC2."""
    versions = made.client("ec2").describe_launch_template_versions(
        LaunchTemplateId=made.id_of("Template"), Versions=["$Latest"]
    )
    data = versions["LaunchTemplateVersions"][0]["LaunchTemplateData"]
    return data, base64.b64decode(data["UserData"]).decode()


def test_how_a_host_is_made(made):
    """Credentials by IMDSv2 alone and on the host alone, an encrypted disk, no key pair."""
    data, _ = user_data_of(made)

    assert data["MetadataOptions"]["HttpTokens"] == "required"
    assert data["MetadataOptions"]["HttpPutResponseHopLimit"] == 1
    assert data["BlockDeviceMappings"][0]["Ebs"]["Encrypted"] is True
    assert "KeyName" not in data


def test_the_script_of_a_host(made):
    """It is bash, its `${…}` are its own, it names the stack, and holds the files, with metrics."""
    _, script = user_data_of(made)
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)

    assert "${PIPELINES[@]}" in script
    assert f"--stack '{NAME}'" in script
    assert made.parameters["FlightsToRedshiftRedshiftPasswordSecret"] in script
    assert script.count("metrics = emf://127.0.0.1:25888") == 2
    assert re.search(r"%\{|\$\{!|AWS::|@\w+@", script) is None


def test_a_stack_has_room_for_a_host(template):
    """No parameter ends all of its hosts: the next change would find no room for one."""
    parameters = read(template)["Parameters"]

    assert parameters["MinHosts"]["MinValue"] == parameters["MaxHosts"]["MinValue"] == 1
    assert midstream.drain("fleet").endswith("fleet --min-size 0 --max-size 0 --desired-capacity 0")
    assert midstream.drain("flights") in Path("README.md").read_text(encoding="utf-8")


def test_the_hook_holds_a_host_for_as_long_as_a_stop_may_take(made, template):
    """A host that is to end may flush for longer than the slowest of its units may take to stop."""
    (hook,) = read(template)["Resources"]["Hosts"]["Properties"]["LifecycleHookSpecificationList"]
    made.client("autoscaling").put_lifecycle_hook(AutoScalingGroupName=NAME, **hook)

    assert hook["LifecycleTransition"] == "autoscaling:EC2_INSTANCE_TERMINATING"
    assert hook["DefaultResult"] == "CONTINUE"
    assert hook["HeartbeatTimeout"] > 60 + 30  # shutdownGraceMillis of stage two, and Java's end


def test_nothing_comes_in(made):
    """No port is open to anybody; out go HTTPS, names, and the port that a file names."""
    (firewall,) = made.client("ec2").describe_security_groups(GroupIds=[made.id_of("Firewall")])[
        "SecurityGroups"
    ]

    assert firewall["IpPermissions"] == []
    assert {(rule["IpProtocol"], rule["FromPort"]) for rule in firewall["IpPermissionsEgress"]} == {
        ("tcp", 443),
        ("tcp", 53),
        ("udp", 53),
        ("tcp", 5439),
    }


def test_alarms_are_of_what_is_measured(made):
    """Each alarm is told to the topic, and is of a metric that there is, by pipeline."""
    alarms = made.alarms()
    measured = {one.name for one in (*OF_EVERY_PIPELINE, *OF_A_HOST)}
    applications = [alarm["Dimensions"][0]["Value"] for alarm in alarms]

    assert {alarm["Namespace"] for alarm in alarms} == {NAMESPACE}
    assert {alarm["MetricName"] for alarm in alarms} <= measured
    assert sorted(set(applications)) == ["flights-to-redshift", "flights-to-s3"]
    assert all(alarm["AlarmActions"] == [made.id_of("Topic")] for alarm in alarms)


def test_an_outage_and_a_sick_host_raise_alarms(made):
    """Lag is what `status` finds, not what a retrying child repeats; one sick host is enough."""
    alarms = {alarm["AlarmName"]: alarm for alarm in made.alarms()}
    behind = alarms[made.id_of("FlightsToRedshiftBehind")]
    sick = alarms[made.id_of("FlightsToRedshiftSickHost")]

    assert (behind["MetricName"], behind["Statistic"]) == ("pipeline.behind", "Maximum")
    assert behind["TreatMissingData"] == "ignore"
    assert (sick["MetricName"], sick["Statistic"]) == ("daemon.healthy", "Minimum")
    assert sick["Threshold"] == 1
    assert sick["EvaluationPeriods"] == 10


def test_the_dashboard(made):
    """It is JSON, shows each alarm, and of each pipeline how far behind its shards are."""
    body = made.client("cloudwatch").get_dashboard(DashboardName=NAME)["DashboardBody"]
    widgets = json.loads(body)["widgets"]
    alarms = made.alarms()
    shown = next(one for one in widgets if one["type"] == "alarm")["properties"]["alarms"]
    titles = [one["properties"].get("title") for one in widgets]

    assert sorted(shown) == sorted(alarm["AlarmArn"] for alarm in alarms)
    assert titles.count("How far behind, by shard (ms)") == 2


def test_each_line_of_the_dashboard_is_of_a_metric(made):
    """What a row shortens to "." is what stands above it; no row says how by a "."."""
    body = made.client("cloudwatch").get_dashboard(DashboardName=NAME)["DashboardBody"]
    measured = {one.name for one in Metric.declared.values()}
    shown = set()
    for widget in json.loads(body)["widgets"]:
        above = [None] * 4
        for row in widget["properties"].get("metrics", ()):
            if "expression" in row[0]:
                continue
            above = [old if one == "." else one for one, old in zip(row[:4], above, strict=True)]
            assert all(isinstance(how, dict) for how in row[4:])
            if above[0] == NAMESPACE:
                shown.add((above[1], above[3]))

    assert {name for name, _ in shown} <= measured
    assert shown >= {
        (one.name, name)
        for one in (HEALTHY, RESTARTS, RECORDS_READ, RECORDS_REFUSED)
        for name in ("flights-to-s3", "flights-to-redshift")
    }


def test_it_says_what_it_costs(capsys):
    """The head of the template, and stderr, say how many hosts there are, why, and for how much."""
    assert cli.main(["cloudformation", *PAIR, "--shards", "events=4"]) == 0
    output = capsys.readouterr()
    head = output.out.partition("AWSTemplateFormatVersion")[0]

    assert "2 hosts of t4g.medium (4 GiB), at most 4:" in output.err
    assert "reads 4 shards of events (by --shards)" in output.err
    assert "if it has another number, say --shards manifests=N" in " ".join(output.err.split())
    assert "- 2 x t4g.medium: $49" in output.err
    for line in output.err.splitlines():
        assert f"# {line}".rstrip() in head


def test_it_says_what_fan_out_costs(tmp_path, capsys):
    """The consumer is no part of the stack, and stays when that goes: its price stands beside."""
    changes = {"retrievalMode": "FANOUT", "kinesisInputStreamShardCount": "4"}
    assert cli.main(["cloudformation", properties(tmp_path, changes)]) == 0
    output = capsys.readouterr()
    said = " ".join(output.err.split())
    assert (
        "by a fan-out consumer of the stream, which stays when the stack goes: $44 a month" in said
    )
    assert "AWS::Kinesis::StreamConsumer" not in output.out
    assert "kinesis:SubscribeToShard" in output.out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--shards", "event=4"], "--shards event: no file reads that stream"),
        (["--shards", "events=5000", "--hosts", "2"], "2 hosts are too few: each would need "),
    ],
)
def test_what_makes_no_stack(words, sentence, capsys):
    """What does not fit together is a sentence, and no template."""
    assert cli.main(["cloudformation", *PAIR, *words]) == 2
    output = capsys.readouterr()
    assert sentence in output.err
    assert output.out == ""


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"metrics": "statsd://127.0.0.1:8125"},
            "metrics = statsd://127.0.0.1:8125: the alarms of the stack live on what CloudWatch's "
            "agent hears; write metrics = emf://127.0.0.1:25888, or take the line out",
        ),
        (
            {"workerId": "h1"},
            "workerId stands in the file: two hosts that share it would take each other's shards; "
            "without it, `run` gives each host a name of its own that stays; take the line out",
        ),
        (
            {"maxLeasesForWorker": "2", "kinesisInputStreamShardCount": "5"},
            "maxLeasesForWorker = 2 on 2 hosts leaves 1 of the 5 shards of events unread; raise "
            "it, or name more hosts with --hosts",
        ),
    ],
)
def test_a_file_of_which_no_stack_is_made(changes, sentence, tmp_path, capsys):
    """A file that would not work there is named, with the setting and the remedy."""
    path = properties(tmp_path, changes, STAGE_TWO)
    assert cli.main(["cloudformation", path]) == 2
    assert f"kinesis-connectors: {path}: {sentence}" in capsys.readouterr().err


def test_what_decides_the_files_stays_as_it_is(made, template, tmp_path, capsys, monkeypatch):
    """A change that a shard in mid-stream would not survive is refused; any other is not."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", made.cloud_formation.meta.endpoint_url)

    def changed(line, other):
        path = tmp_path / "s3_manifest.properties"
        text = Path(PAIR[0]).read_text(encoding="utf-8")
        assert line in text
        text = text.replace(line, other).replace(PAIR[0], str(path))
        path.write_text(text, encoding="utf-8")
        code = cli.main(["cloudformation", str(path), PAIR[1], "--replacing", NAME])
        return code, capsys.readouterr().err

    assert changed("bufferRecordCountLimit = 10000", "bufferRecordCountLimit = 5000")[0] == 0
    assert changed("filter = all", "filter = regex\nfilterExpression = UA")[0] == 2
    code, told = changed("s3Compression = gzip", "s3Compression = none")
    assert code == 2
    assert "flights-to-s3: s3Compression was gzip and is none. That must not change while" in told
    assert "--min-size 0 --max-size 0 --desired-capacity 0; wait until" in told
    assert "applicationName" not in told
    code, told = changed("applicationName = flights-to-s3", "applicationName = flights-anew")
    assert code == 2
    assert "fleet runs flights-to-s3, and none of the files has that applicationName" in told
    upgrade = ["--source", "s3://wheels/9.9"]
    assert cli.main(["cloudformation", *PAIR, "--replacing", NAME, *upgrade]) == 2
    assert "the program was " in (told := capsys.readouterr().err)
    assert "and is s3://wheels/9.9. That must not change while" in told
    assert cli.main(["cloudformation", PAIR[0], "--replacing", NAME]) == 2
    assert "fleet runs flights-to-redshift, and none of the files" in capsys.readouterr().err
    assert cli.main(["cloudformation", *PAIR, "--replacing", "flight"]) == 2
    assert "--replacing flight: " in capsys.readouterr().err


def test_a_good_template_outlives_a_refusal(tmp_path, capsys):
    """The file is written once the template is whole; what refuses leaves what is there."""
    file = tmp_path / "stack.yaml"
    assert cli.main(["cloudformation", *PAIR, "--into", str(file)]) == 0
    good = file.read_text(encoding="utf-8")
    assert read(good)["Resources"]
    assert capsys.readouterr().out == ""
    refused = [*PAIR, "--shards", "events=5000", "--hosts", "2", "--into", str(file)]
    assert cli.main(["cloudformation", *refused]) == 2
    assert file.read_text(encoding="utf-8") == good
    assert cli.main(["cloudformation", *PAIR, "--into", str(tmp_path)]) == 2
    assert f"--into {tmp_path}: cannot be written: Is a directory" in capsys.readouterr().err


def test_names_that_a_stack_cannot_tell_apart(tmp_path, capsys):
    """Two pipelines whose resources would have one name are refused; so is one file twice."""
    paths = []
    for name in ("to-s3", "to.s3"):
        (tmp_path / name).mkdir()
        paths.append(properties(tmp_path / name, {"applicationName": name}))
    assert cli.main(["cloudformation", *paths]) == 2
    assert "to-s3, to.s3: two differ in no letter or digit" in capsys.readouterr().err
    assert cli.main(["cloudformation", paths[0], paths[0]]) == 2
    assert "a host runs one daemon of an application" in capsys.readouterr().err
