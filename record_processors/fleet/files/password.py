#!/usr/bin/python3
"""Fetches passwords into a file; its arguments are that file, VARIABLE ARN for each."""

import json
import os
import subprocess
import sys
from pathlib import Path

path, *named = sys.argv[1:]
lines = []
for variable, arn in zip(named[::2], named[1::2]):
    command = ["aws", "secretsmanager", "get-secret-value", "--region", arn.split(":")[3]]
    command += ["--secret-id", arn, "--query", "SecretString", "--output", "json"]
    text = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    member = variable.rpartition("_")[2].lower()  # of JSON, as services keep it
    try:
        found = json.loads(text or "")
    except ValueError:
        found = None
    if isinstance(found, dict):
        text = found.get(member)
    if not isinstance(text, str) or not (text := text.rstrip("\n")).isprintable() or not text:
        sys.exit(f"{arn}: neither one line of text, nor JSON with a text {member}: see {variable}")
    quoted = "".join("\\" + letter if letter in '\\"`$' else letter for letter in text)
    lines.append(f'{variable}="{quoted}"\n')
os.umask(0o077)
Path(path + ".new").write_text("".join(lines))
Path(path + ".new").replace(path)
