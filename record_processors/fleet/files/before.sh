# ---- what the stack adds ----
export AWS_DEFAULT_REGION='%{AWS::Region}'

# The stack waits for the exit code; where nobody does, a failed host is replaced.
finish() {
  code=$?
  (( code == 0 )) || tail --lines 20 @logs@/*.log >&2 || true
  /opt/aws/bin/cfn-signal --exit-code "$code" --stack '%{AWS::StackName}' --resource @group@ \
    --region '%{AWS::Region}' || true
  (( code == 0 )) || aws autoscaling set-instance-health --health-status Unhealthy \
    --no-should-respect-grace-period --instance-id "$(cloud-init query instance_id)" || true
}
trap finish EXIT
dnf install --assumeyes --quiet aws-cfn-bootstrap amazon-cloudwatch-agent logrotate

# The agent hears the metrics as datagrams, at its own port of this host. It is first, as it sends
# what this script says, too; a host that failed lives on until the group's hook has run out.
cat >/opt/aws/amazon-cloudwatch-agent/etc/kinesis-connectors.json <<'END'
@agent@
END
/opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl -a fetch-config -m ec2 -s \
  -c file:/opt/aws/amazon-cloudwatch-agent/etc/kinesis-connectors.json

@secrets@
# The logs go to files, which the agent sends; `journalctl` has what systemd itself says.
mkdir -p @logs@ @units@/kinesis-connectors@.service.d
cat >@units@/kinesis-connectors@.service.d/20-log.conf <<'END'
[Service]
StandardOutput=append:@logs@/%i.log
StandardError=append:@logs@/%i.log
# What a person has mended elsewhere is found by trying again.
RestartPreventExitStatus=
END
cat >/etc/logrotate.d/kinesis-connectors <<'END'
@logs@/*.log {
  size 50M
  rotate 2
  copytruncate
  missingok
}
END
# Its own timer looks once a day, in which a log may fill the disk.
mkdir -p @units@/logrotate.timer.d
printf '[Timer]\nOnCalendar=\nOnCalendar=hourly\nRandomizedDelaySec=0\n' \
  >@units@/logrotate.timer.d/10-hourly.conf
systemctl daemon-reload
systemctl enable --now --quiet logrotate.timer
