"""Starts the scripts of this directory as processes of their own, on the Cassandra and the keyspace of the test run."""

import json
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def start(script: str, **configuration: object) -> subprocess.Popen[bytes]:
    """The process; its configuration is JSON in argv[1], its standard input a pipe that ends with this process."""
    environment = os.environ | {"PYTHONPATH": str(HERE.parents[1]), "DJANGO_SETTINGS_MODULE": "sched_portal.settings"}
    command = [sys.executable, str(HERE / script), json.dumps(configuration)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, env=environment)
