#!/bin/bash
# Waits until the Auto Scaling group lets this host go. Then it stops the daemons, which flush and
# give their shards back, and tells the group to go on. REGION, GROUP and HOOK say which that is.
set -u
imds=${IMDS:-http://169.254.169.254}/latest
ask() {
  token=$(curl -sf -m 5 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' "$imds/api/token") &&
    curl -sf -m 5 -H "X-aws-ec2-metadata-token: $token" "$imds/meta-data/$1"
}
until [ "$(ask autoscaling/target-lifecycle-state)" = Terminated ]; do sleep "${PAUSE:-5}"; done
echo 'the group lets this host go: the daemons are stopped'
systemctl stop 'kinesis-connectors-report@*.timer' 'kinesis-connectors@*.service'
aws autoscaling complete-lifecycle-action --region "$REGION" \
  --auto-scaling-group-name "$GROUP" --lifecycle-hook-name "$HOOK" \
  --lifecycle-action-result CONTINUE --instance-id "$(ask instance-id)"
