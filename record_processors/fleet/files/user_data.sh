# ---- the program ----
# Java runs the Kinesis Client Library; the rest is Python, in a folder of its own.
dnf install --assumeyes --quiet java-17-amazon-corretto-headless python3.11
python3.11 -m venv /opt/kinesis-connectors
pip() { /opt/kinesis-connectors/bin/python -m pip --quiet --disable-pip-version-check "$@"; }
case $SOURCE in
  s3://*)
    # All that is installed comes from this folder, and is what its list of hashes says.
    wheels=$(mktemp -d -p /var/tmp)
    aws s3 cp --recursive --only-show-errors "$SOURCE" "$wheels"
    pip install --no-index --find-links "$wheels" --require-hashes \
      --requirement "$wheels/requirements.txt"
    rm -r "$wheels"
    ;;
  *) pip install "$SOURCE" ;;  # from pip's index, with whatever it depends on today
esac

# ---- the units ----
files=() services=() timers=()
for name in "${PIPELINES[@]}"; do
  files+=("/etc/connectors/$name.properties")
  services+=("kinesis-connectors@$name.service")
  timers+=("kinesis-connectors-health@$name.timer")
done
/opt/kinesis-connectors/bin/kinesis-connectors systemd "${files[@]}" --into / --force
systemctl daemon-reload
systemctl enable --now "${services[@]}" "${timers[@]}"

# ---- until each pipeline is healthy ----
# What a role may do that was made just now is not known everywhere at once, and a pipeline that was
# refused because of that does not start again by itself (exit code 2).
set -a; source /run/kinesis-connectors/host.env; set +a
cd /etc/connectors
for name in "${PIPELINES[@]}"; do
  until /opt/kinesis-connectors/bin/kinesis-connectors health "$name.properties"; do
    if (( SECONDS > PATIENCE )); then
      journalctl --no-pager --lines 20 --unit "kinesis-connectors@$name.service" >&2
      fail "$name is not healthy after $PATIENCE seconds"
    fi
    sleep 5
    if systemctl is-failed --quiet "kinesis-connectors@$name.service"; then
      systemctl restart "kinesis-connectors@$name.service"
    fi
  done
done
