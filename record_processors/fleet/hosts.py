"""The hosts of the stack: how one is made, how many there are, and how one is replaced."""

from __future__ import annotations

import re
from collections.abc import Iterable

from .text import fill, substituted

GROUP = "Hosts"  # the logical id, by which a host signals
HOOK = "flush"

# What a host takes until its daemons are healthy: an image starts in one minute, the packages are
# installed in two, a daemon's first start takes up to two.
START = "PT15M"

TEMPLATE = """\
# ---- the hosts ----------------------------------------------------------------------------------

# How one is made. Whatever changes here makes a new version, and the group replaces its hosts.
Template:
  Type: AWS::EC2::LaunchTemplate
  Properties:
    LaunchTemplateData:
      ImageId: !Ref Image
      InstanceType: !Ref InstanceType
      IamInstanceProfile:
        Arn: !GetAtt Profile.Arn
      SecurityGroupIds:
        - !Ref Firewall
      # Credentials of the host are given out by version 2 alone, which no forged request of a
      # server can ask, and not beyond the host itself. There is no key pair: a shell is had by
      # Session Manager (aws ssm start-session --target INSTANCE).
      MetadataOptions:
        HttpEndpoint: enabled
        HttpTokens: required
        HttpPutResponseHopLimit: 1
      # Program and logs; records are never on the disk.
      BlockDeviceMappings:
        - DeviceName: /dev/xvda
          Ebs:
            VolumeType: gp3
            VolumeSize: @disk@
            Encrypted: true
            DeleteOnTermination: true
      TagSpecifications:
        - ResourceType: instance
          Tags:
            - Key: Name
              Value: !Ref AWS::StackName
        - ResourceType: volume
          Tags:
            - Key: Name
              Value: !Ref AWS::StackName
      # What makes of Amazon Linux a host that runs the pipelines, their .properties files included
      # (its units are what `kinesis-connectors systemd` writes), and what the stack adds:
      # CloudWatch's agent, the report of each minute, the leave.
      UserData:
        Fn::Base64: !Sub |
          @user_data@

# Nobody connects to a host. It connects to AWS@beside@.
Firewall:
  Type: AWS::EC2::SecurityGroup
  Properties:
    GroupDescription: Hosts of kinesis-connectors - nothing comes in
    VpcId: !Ref VpcId
    SecurityGroupEgress:
      - Description: AWS - Kinesis, DynamoDB, S3, CloudWatch, Systems Manager, the packages
        IpProtocol: tcp
        FromPort: 443
        ToPort: 443
        CidrIp: 0.0.0.0/0
      # Amazon's own resolver is always reached; these are for a VPC with name servers of its own.
      - Description: Name servers
        IpProtocol: udp
        FromPort: 53
        ToPort: 53
        CidrIp: 0.0.0.0/0
      - Description: Name servers, long answers
        IpProtocol: tcp
        FromPort: 53
        ToPort: 53
        CidrIp: 0.0.0.0/0
      @ports@

# How many there are, and where.
@group@:
  Type: AWS::AutoScaling::AutoScalingGroup
  # What they write to is there before them, and after them.
  DependsOn:
    @log_groups@
  # The stack is made when its first hosts have said that all daemons are healthy.
  CreationPolicy:
    ResourceSignal:
      Count: !Ref MinHosts
      Timeout: @start@
  # A change replaces the hosts one by one: first a new one starts and says that it is well, then an
  # old one flushes, gives its shards back and goes. If the new one does not start, the stack rolls
  # back, and the old ones go on.
  UpdatePolicy:
    AutoScalingRollingUpdate:
      MaxBatchSize: 1
      MinInstancesInService: !Ref MinHosts
      WaitOnResourceSignals: true
      PauseTime: @start@
      # While hosts are replaced, nobody else shall start or end any.
      SuspendProcesses:
        - HealthCheck
        - ReplaceUnhealthy
        - AZRebalance
        - AlarmNotification
        - ScheduledActions
  Properties:
    # The hosts name the group when they leave it.
    AutoScalingGroupName: !Ref AWS::StackName
    VPCZoneIdentifier: !Ref SubnetIds
    MinSize: !Ref MinHosts
    MaxSize: !Ref MaxHosts
    LaunchTemplate:
      LaunchTemplateId: !Ref Template
      Version: !GetAtt Template.LatestVersionNumber
    HealthCheckType: EC2
    HealthCheckGracePeriod: 300
    MetricsCollection:
      - Granularity: 1Minute
    # A host that is to end waits here, for as long as its daemons may take to flush (@stop@ s) and
    # a minute more. It says itself when it is done (kinesis-connectors-leave); if it cannot, it
    # ends nonetheless: what it had not flushed is read again from the last checkpoint.
    LifecycleHookSpecificationList:
      - LifecycleHookName: @hook@
        LifecycleTransition: autoscaling:EC2_INSTANCE_TERMINATING
        HeartbeatTimeout: @heartbeat@
        DefaultResult: CONTINUE
    Tags:
      - Key: Name
        Value: !Ref AWS::StackName
        PropagateAtLaunch: false

# More hosts when they are busy, fewer when they are not. KCL moves shards by how busy each host is;
# it cannot split one, so that beyond MaxHosts more hosts would do nothing.
Scaling:
  Type: AWS::AutoScaling::ScalingPolicy
  Properties:
    AutoScalingGroupName: !Ref @group@
    PolicyType: TargetTrackingScaling
    EstimatedInstanceWarmup: 300
    TargetTrackingConfiguration:
      PredefinedMetricSpecification:
        PredefinedMetricType: ASGAverageCPUUtilization
      TargetValue: 60
"""

PORT = """\
- Description: @about@
  IpProtocol: tcp
  FromPort: @port@
  ToPort: @port@
  CidrIp: 0.0.0.0/0
"""

DISK_GIB = 20
HTTPS = 443
SPARE_SECONDS = 60  # beside the stop itself, to hear of it and to say that it is done


def hosts(
    user_data: str, ports: Iterable[int], stop_seconds: int, log_groups: Iterable[str]
) -> str:
    """Return launch template, security group, Auto Scaling group and its policy.

    ``ports`` are those of TCP, beside 443, at which what the pipelines use is reached;
    ``stop_seconds`` is how long a stop of their daemons may take; ``log_groups`` are logical ids.
    """
    beside = sorted(set(ports) - {HTTPS})
    return fill(
        TEMPLATE,
        group=GROUP,
        hook=HOOK,
        start=START,
        disk=str(DISK_GIB),
        stop=str(stop_seconds),
        heartbeat=str(stop_seconds + SPARE_SECONDS),
        beside=", and at the ports that the files name" if beside else "",
        ports="".join(
            fill(PORT, about="A destination, as the files name it", port=str(port))
            for port in beside
        ),
        log_groups="".join(f"- {one}\n" for one in log_groups),
        user_data=for_the_stack(user_data),
    )


def for_the_stack(script: str) -> str:
    """Prepare a script for ``Fn::Sub``: bash keeps its ``${…}``, and ``%{…}`` is the stack's."""
    return re.sub(r"%\{(AWS::\w+|\w+Secret)\}", r"${\1}", substituted(script))
