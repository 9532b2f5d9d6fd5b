"""The load client, a process of its own: connections that are kept, each with one request at a time.

Bare sockets and no HTTP library, so that the client takes little of the machine. Its configuration is JSON in argv[1];
what it saw goes to standard output as JSON.
"""

import asyncio
import json
import resource
import sys
import time
from collections import Counter
from typing import Any


async def connection(config: dict[str, Any], until: float, times: list[float], statuses: Counter[str]) -> None:
    reader, writer = await asyncio.open_connection(config["address"], config["port"])
    body = json.dumps(config["body"]).encode()
    request = (
        f"POST /api/schedule HTTP/1.1\r\nHost: {config['address']}\r\nAuthorization: Token {config['token']}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body
    while time.monotonic() < until:
        began = time.monotonic()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        await reader.readexactly(length)
        times.append(time.monotonic() - began)
        statuses[head[9:12].decode()] += 1
    writer.close()


async def main(config: dict[str, Any]) -> None:
    times: list[float] = []
    statuses: Counter[str] = Counter()
    began = time.monotonic()
    until = began + config["seconds"]
    await asyncio.gather(*(connection(config, until, times, statuses) for _ in range(config["clients"])))
    seconds = time.monotonic() - began
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({"times": times, "statuses": statuses, "seconds": seconds, "cpu": used.ru_utime + used.ru_stime}))


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
