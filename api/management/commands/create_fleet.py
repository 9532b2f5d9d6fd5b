"""`manage.py create_fleet`: cell1, this machine as a real host, and a simulated fleet, each with its agent's file.

Made once: a second run looks, finds it all there, and is done.
"""

import contextlib
import json
import platform
import socket
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from agents.node.inventory import cpu_traits, measure_compute
from api import tokens
from api.simulated_hosts import SimulatedHost, simulated_hosts
from api.write_secret import write_secret
from providers import cells
from providers.find import read_cell
from providers.inventory import Inventory
from providers.refusals import Conflict, NotFound
from providers.register import NewProvider, register

CELL = "cell1"
AT_ONCE = 8  # registrations side by side
POLL_SECONDS = 5.0  # how often a simulated host asks for orders; a hundred of them share this machine with Cassandra
IMAGES: dict[str, Any] = {
    "sleep": {"command": ["sleep", "86400"]},
    "clock": {"command": ["sh", "-c", "while :; do date; sleep 5; done"]},
    "short": {"command": ["sleep", "10"], "ready_after": 1.0},
}


class Command(BaseCommand):
    help = "Make cell1, this machine as a host, and a simulated fleet, as far as they are missing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--hosts", type=int, default=settings.SIMULATED_HOSTS, help="how many simulated hosts")

    def handle(self, *args: Any, **options: Any) -> None:
        var = Path(settings.VAR_DIR)
        there = self._cell()
        real, simulated = [_this_host()], [_simulated(host) for host in simulated_hosts(max(0, options["hosts"]))]
        missing = [new for new in (*real, *simulated) if new.name not in there]
        if missing:
            there |= self._register(missing)
        agents = var / "agents"
        files = (
            (agents / "this-host.json", real, _this_host_file),
            (agents / "simulated-fleet.json", simulated, _fleet_file),
        )
        written = [path.name for path, hosts, make in files if _keep_file(path, hosts, there, make)]
        self.stdout.write(_summary(len(missing), len(real) + len(simulated), written))

    def _cell(self) -> dict[str, UUID]:
        """What is in the cell already, by name."""
        try:
            cell = cells.find(CELL)
        except NotFound:
            with contextlib.suppress(Conflict):  # another process was first
                cells.create(CELL, description="Made by create_fleet")
            cell = cells.find(CELL)
        return {image["name"]: UUID(image["id"]) for image in read_cell(cell.home)}

    def _register(self, missing: Sequence[NewProvider]) -> dict[str, UUID]:
        made: dict[str, UUID] = {}
        # The first of each class opens its shard, so that eight at once do not open eight.
        firsts = list({new.resource_class: new for new in reversed(missing)}.values())
        rest = [new for new in missing if new not in firsts]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for group in (firsts, rest):
                for name, provider_id in pool.map(_registered, group):
                    made[name] = provider_id
                    if len(made) % 25 == 0:
                        self.stderr.write(f"  {len(made)} of {len(missing)} hosts")
        return made


def _registered(new: NewProvider) -> tuple[str, UUID]:
    _, own = register(new)
    return new.name, own.id


def _this_host() -> NewProvider:
    """This machine as it is; its agent measures again and reports what changes."""
    measured = measure_compute(Path(settings.VAR_DIR))
    return NewProvider(
        name=socket.gethostname(),
        cell=CELL,
        resource_class="compute",
        inventory={name: Inventory(total) for name, total in measured.totals.items()},
        properties={"cpu_arch": platform.machine(), "hypervisor": "process"},
        traits=frozenset(cpu_traits()),
        rack="r1",
        zone="z1",
    )


def _simulated(host: SimulatedHost) -> NewProvider:
    return NewProvider(
        name=host.name,
        cell=CELL,
        resource_class=host.resource_class,
        inventory={name: Inventory(total) for name, total in host.totals.items()},
        properties=host.properties,
        traits=frozenset(host.traits),
        aggregates=frozenset(host.aggregates),
        rack=host.rack,
        zone=host.zone,
    )


def _keep_file(
    path: Path, hosts: Sequence[NewProvider], ids: Mapping[str, UUID], make: Callable[..., dict[str, Any]]
) -> bool:
    """Writes the agent's file when it is missing, names other hosts or another portal, or holds a token that does not
    work. True: it did. All else that its owner changed in it is kept."""
    if not hosts:
        return False
    kept = _read(path)
    entries = {entry.get("id"): entry for entry in kept.get("providers", []) if isinstance(entry, dict)}
    wanted = {str(ids[new.name]): new for new in hosts}
    held = {provider_id: str(entry.get("token", "")) for provider_id, entry in entries.items()}
    same_hosts = held.keys() == wanted.keys() and tokens.are_valid(held.values())
    if same_hosts and kept.get("portal") == _portal():
        return False
    if not same_hosts:
        issued = tokens.issue_for_providers((UUID(provider_id), new.name) for provider_id, new in wanted.items())
        held = {str(provider_id): token for provider_id, token in issued.items()}
    made = make([(provider_id, held[provider_id], new) for provider_id, new in wanted.items()])
    ours = {name: made[name] for name in ("portal", "providers")}
    write_secret(path, json.dumps({**made, **kept, **ours}, indent=1) + "\n")
    return True


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _this_host_file(hosts: Sequence[tuple[str, str, NewProvider]]) -> dict[str, Any]:
    return {
        "portal": _portal(),
        "builder": "process",
        "state_dir": str(Path(settings.VAR_DIR) / "agents" / "this-host"),
        "images": IMAGES,
        "default_image": "sleep",
        "providers": [
            {"id": provider_id, "token": token, "name": new.name, "resource_class": new.resource_class}
            for provider_id, token, new in hosts
        ],
    }


def _fleet_file(hosts: Sequence[tuple[str, str, NewProvider]]) -> dict[str, Any]:
    return {
        "portal": _portal(),
        "builder": "noop",
        "state_dir": str(Path(settings.VAR_DIR) / "agents" / "simulated-fleet"),
        "poll_interval": POLL_SECONDS,
        "noop": {"build_seconds": [0.5, 2.0]},
        "providers": [
            {
                "id": provider_id,
                "token": token,
                "name": new.name,
                "resource_class": new.resource_class,
                "inventory": {
                    "totals": {name: one.total for name, one in new.inventory.items()},
                    "properties": dict(new.properties),
                    "traits": sorted(new.traits),
                },
            }
            for provider_id, token, new in hosts
        ],
    }


def _portal() -> str:
    """Where the agents of this machine find the portal; SCHED_AGENT_PORTAL wins over it."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.PORTAL_HOST, settings.PORTAL_HOST)
    return f"http://{host}:{settings.PORTAL_PORT}"


def _summary(made: int, hosts: int, written: Sequence[str]) -> str:
    if not made and not written:
        return f"{CELL} with {hosts} hosts, there already"
    return f"{CELL} with {hosts} hosts, {made} of them new" + (f"; wrote {', '.join(written)}" if written else "")
