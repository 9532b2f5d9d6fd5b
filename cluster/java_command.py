"""The JVM's command line for one node, and the Java that can run it.

Cassandra's own start script lives in its tarball, not in the jars; these are the flags of its jvm17-server.options
that a node of 5.0 needs, plus what makes the first start on a laptop take seconds.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from cluster.errors import LaunchError

JAVA_MAJOR = 17

_EXPORTS = (
    "java.base/jdk.internal.misc",
    "java.base/jdk.internal.ref",
    "java.base/java.lang.ref",
    "java.base/sun.nio.ch",
    "java.management.rmi/com.sun.jmx.remote.internal.rmi",
    "java.rmi/sun.rmi.registry",
    "java.rmi/sun.rmi.server",
    "java.sql/java.sql",
    "jdk.unsupported/sun.misc",
)
_OPENS = (
    "java.base/java.io",
    "java.base/java.lang",
    "java.base/java.lang.module",
    "java.base/java.lang.reflect",
    "java.base/java.nio",
    "java.base/java.util",
    "java.base/java.util.concurrent",
    "java.base/java.util.concurrent.atomic",
    "java.base/jdk.internal.loader",
    "java.base/jdk.internal.math",
    "java.base/jdk.internal.module",
    "java.base/jdk.internal.ref",
    "java.base/jdk.internal.reflect",
    "java.base/jdk.internal.util.jar",
    "java.base/sun.nio.ch",
    "jdk.management/com.sun.management.internal",
)
_MACHINE = (
    "-ea",
    "-Xss256k",
    "-Xshare:auto",
    "-XX:+UseG1GC",
    "-XX:ParallelGCThreads=2",
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:+PerfDisableSharedMem",
    "-Djdk.attach.allowAttachSelf=true",
    "-Djava.net.preferIPv4Stack=true",
    "-Dio.netty.tryReflectionSetAccessible=true",
)
# Waits that protect a ring spread over a network. On one machine gossip takes milliseconds, and none of them
# has a part in what is durable: they only delay the first answer, a joining node and the announcement of a stop.
_IMPATIENCE = (
    "-Dcassandra.skip_wait_for_gossip_to_settle=0",
    "-Dcassandra.ring_delay_ms=5000",
    "-Dcassandra.shutdown_announce_in_ms=500",
)


def find_java() -> str:
    """The path of a Java 17: JAVA_HOME first, then the PATH, then where Debian and Fedora keep theirs."""
    seen: list[str] = []
    for candidate in _java_candidates():
        major = _java_major(candidate)
        if major == JAVA_MAJOR:
            return candidate
        seen.append(f"{candidate} is version {major or 'unknown'}")
    if not seen:
        raise LaunchError(
            f"no Java found: install Java {JAVA_MAJOR} (Debian: openjdk-17-jre-headless) or set JAVA_HOME"
        )
    raise LaunchError(f"Cassandra 5.0 needs Java {JAVA_MAJOR}, but {'; '.join(seen)}: install it or set JAVA_HOME")


def _java_candidates() -> list[str]:
    found: list[str] = []
    if home := os.environ.get("JAVA_HOME"):
        found.append(str(Path(home) / "bin" / "java"))
    if on_path := shutil.which("java"):
        found.append(on_path)
    if not os.environ.get("JAVA_HOME"):
        found += [str(path) for path in sorted(Path("/usr/lib/jvm").glob("*17*/bin/java"))]
    return [java for java in dict.fromkeys(found) if os.access(java, os.X_OK)]


def _java_major(java: str) -> int:
    """The feature version that this Java says it is, 0 when it does not run."""
    try:
        said = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30, check=False).stderr
    except (OSError, subprocess.TimeoutExpired):
        return 0
    match = re.search(r'version "(?:1\.)?(\d+)', said)
    return int(match.group(1)) if match else 0


def java_command(java: str, lib: Path, home: Path, heap: str, jmx_port: int) -> list[str]:
    """The command that runs a node whose rendered configuration is under `home`/conf."""
    conf = home / "conf"
    command = [java, f"-javaagent:{lib / 'jamm-0.4.0.jar'}", f"-Xms{heap}", f"-Xmx{heap}", *_MACHINE, *_IMPATIENCE]
    for package in _EXPORTS:
        command += ["--add-exports", f"{package}=ALL-UNNAMED"]
    for package in _OPENS:
        command += ["--add-opens", f"{package}=ALL-UNNAMED"]
    command += [
        f"-Dcassandra.storagedir={home}",
        f"-Dcassandra.logdir={home / 'log'}",
        f"-Dcassandra.config={(conf / 'cassandra.yaml').as_uri()}",
        f"-Dcassandra-rackdc.properties={(conf / 'cassandra-rackdc.properties').as_uri()}",
        f"-Dlogback.configurationFile={conf / 'logback.xml'}",
        f"-Djava.io.tmpdir={home / 'tmp'}",
    ]
    if jmx_port:
        command.append(f"-Dcassandra.jmx.local.port={jmx_port}")
    return [*command, "-cp", f"{lib}/*", "org.apache.cassandra.service.CassandraDaemon"]
