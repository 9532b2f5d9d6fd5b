"""`python -m agents.node --portal URL --token-file FILE`, or `--config agent.json`: the agent without Django."""

import argparse
import sys

from agents.node.start import add_arguments, run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m agents.node", description=__doc__)
    add_arguments(parser)
    return run(vars(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
