"""CloudFormation on this machine: a template's own look at itself, and a stack that is made."""

import re
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import boto3
import yaml

NAME = "fleet"
ACCOUNT = "000000000000"
WAIT = {"Delay": 0.1, "MaxAttempts": 300}


class Reader(yaml.SafeLoader):
    """Reads YAML in which ``!Ref x`` is ``{"Ref": "x"}``, and the like."""


def _function(loader, suffix, node):
    reads = {yaml.ScalarNode: loader.construct_scalar, yaml.SequenceNode: loader.construct_sequence}
    value = reads[type(node)](node)
    return {suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}": value}


Reader.add_multi_constructor("!", _function)


def read(template):
    """Return what a template says."""
    return yaml.load(template, Reader)


def findings(paths):
    """Return what cfn-lint has to say of templates."""
    program = Path(sys.executable).with_name("cfn-lint")
    command = [program, "--", *paths]
    answer = subprocess.run(
        command, check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    return answer.stdout


@contextmanager
def ministack():
    """Run the stand-in; yield what makes clients of it."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        place = f"http://127.0.0.1:{door.getsockname()[1]}"
        bind = f"fd://{door.fileno()}"
        process = subprocess.Popen(
            [sys.executable, "-m", "hypercorn", "--bind", bind, "ministack.app:app"],
            pass_fds=[door.fileno()],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield lambda service: boto3.client(service, endpoint_url=place)
        finally:
            process.terminate()
            process.wait()


class Made:
    """A stack of a template, in a network of its own."""

    def __init__(self, client, template):
        self.client = client
        self.template = template
        self.cloud_formation = client("cloudformation")
        ec2 = client("ec2")
        self.before = self.things()
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnets = [
            ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{number}.0/24")["Subnet"]["SubnetId"]
            for number in (1, 2)
        ]
        # Nobody but AWS may have a parameter whose name begins with /aws.
        client("ssm").put_parameter(Name="/image", Value="ami-12345678", Type="String")
        self.parameters = {
            "VpcId": vpc,
            "SubnetIds": ",".join(subnets),
            "AlarmEmail": "you@example.com",
            "Image": "/image",
        }
        for name in read(template)["Parameters"]:
            if name.endswith("Secret"):
                arn = f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:password-AbCdEf"
                self.parameters[name] = arn

    def change(self, how, template, until, parameters=None):
        """Make or update the stack, and wait for the end."""
        said = [
            {"ParameterKey": key, "ParameterValue": value} for key, value in self.parameters.items()
        ]
        how(
            StackName=NAME,
            TemplateBody=template,
            Capabilities=["CAPABILITY_IAM"],
            Parameters=parameters or said,
        )
        self.cloud_formation.get_waiter(until).wait(StackName=NAME, WaiterConfig=WAIT)

    def create(self):
        """Make it."""
        self.change(self.cloud_formation.create_stack, self.template, "stack_create_complete")

    def update(self, template):
        """Let it be as another template says."""
        self.change(self.cloud_formation.update_stack, template, "stack_update_complete")

    def deploy(self, template):
        """Let it be as another says, as `aws cloudformation deploy` does by the words at its head.

        That takes what is not said from the stack as it is, and no default; so it is here with what
        the head leaves to whoever types it (``vpc-...``).
        """
        head, _, _ = template.partition("AWSTemplateFormatVersion")
        _, _, command = head.partition("--parameter-overrides ")
        words = dict(re.findall(r"(\w+)=(\S+)", command.split("\n#\n")[0]))
        parameters = [
            {"ParameterKey": name, "ParameterValue": words[name]}
            if "..." not in words.get(name, "...")
            else {"ParameterKey": name, "UsePreviousValue": True}
            for name in read(template)["Parameters"]
        ]
        self.change(
            self.cloud_formation.update_stack, template, "stack_update_complete", parameters
        )

    def delete(self):
        """Take it away."""
        self.cloud_formation.delete_stack(StackName=NAME)
        self.cloud_formation.get_waiter("stack_delete_complete").wait(
            StackName=NAME, WaiterConfig=WAIT
        )

    def id_of(self, resource):
        """Return the physical id of a resource."""
        found = self.cloud_formation.describe_stack_resource(
            StackName=NAME, LogicalResourceId=resource
        )
        return found["StackResourceDetail"]["PhysicalResourceId"]

    def group(self):
        """Return the Auto Scaling group."""
        (group,) = self.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
        return group

    def alarms(self):
        """Return the alarms, but for those that target tracking has made for itself."""
        alarms = self.client("cloudwatch").describe_alarms()["MetricAlarms"]
        return [alarm for alarm in alarms if not alarm["AlarmName"].startswith("TargetTracking-")]

    def things(self):
        """Return what there is of all kinds that the stack has, by kind."""
        lists = {
            "groups": ("autoscaling", "describe_auto_scaling_groups", "AutoScalingGroups"),
            "policies": ("autoscaling", "describe_policies", "ScalingPolicies"),
            "templates": ("ec2", "describe_launch_templates", "LaunchTemplates"),
            "roles": ("iam", "list_roles", "Roles"),
            "profiles": ("iam", "list_instance_profiles", "InstanceProfiles"),
            "alarms": ("cloudwatch", "describe_alarms", "MetricAlarms"),
            "dashboards": ("cloudwatch", "list_dashboards", "DashboardEntries"),
            "logs": ("logs", "describe_log_groups", "logGroups"),
            "topics": ("sns", "list_topics", "Topics"),
            "subscriptions": ("sns", "list_subscriptions", "Subscriptions"),
        }
        there = {
            kind: len(getattr(self.client(service), method)()[key])
            for kind, (service, method, key) in lists.items()
        }
        own = self.client("iam").list_policies(Scope="Local")["Policies"]
        firewalls = self.client("ec2").describe_security_groups()["SecurityGroups"]
        named = [one for one in firewalls if one["GroupName"] != "default"]
        return {**there, "own policies": len(own), "firewalls": len(named)}


def substituted(value, names):
    """Return what CloudFormation makes of ``Fn::Sub`` anywhere in a value."""
    if isinstance(value, dict):
        if set(value) == {"Fn::Sub"}:
            text = re.sub(r"\$\{([\w:]+)\}", lambda found: names[found[1]], value["Fn::Sub"])
            return text.replace("${!", "${")
        return {key: substituted(member, names) for key, member in value.items()}
    if isinstance(value, list):
        return [substituted(member, names) for member in value]
    return value
