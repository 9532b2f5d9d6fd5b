"""`python -m agents.node --config agent.json`: the agent on a host that has no Django."""

import argparse
import sys

from agents.node.start import add_arguments, run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m agents.node", description=__doc__)
    add_arguments(parser)
    options = parser.parse_args()
    return run(options.config, once=options.once, log_json=options.log_json)


if __name__ == "__main__":
    sys.exit(main())
