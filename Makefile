# The portal's commands. Each target's sentence is what `make help` prints.
# Settings come from the environment; docs/running.md has the tables.

SHELL := /bin/bash
.DEFAULT_GOAL := help
export PATH := $(CURDIR)/.venv/bin:$(PATH)
VAR := $(or $(SCHED_VAR),var)

.PHONY: help run test setup setup-dev check faults statemachine pictures diagram fault-table bench simulate soak cassandra-start cassandra-stop cassandra-status stop clean reset

help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: setup ## Start everything on this machine: Cassandra, portal, conductor, this host's agent, a simulated fleet. Ctrl-C stops it.
	@exec python -m setup.run

test: check ## Run the checks and every test, from nothing, on a Cassandra of the tests' own.
	@python -m pytest

setup: ## Bring what `make run` needs: system packages, Python environment, Cassandra's jars.
	@setup/bootstrap.sh run

setup-dev: ## Bring what the tests need on top.
	@setup/bootstrap.sh dev

check: setup-dev ## Check style, types and who imports whom.
	@ruff check .
	@ruff format --check .
	@mypy
	@lint-imports

faults: setup-dev ## Break things for some minutes: 5,000 claims on three nodes that hang and die, a portal killed everywhere.
	@python -m pytest tests/faults tests/races/test_never_oversold.py tests/races/test_acknowledged_is_kept.py tests/rooms/simulate -m faults -s

pictures: setup-dev ## Take the pictures of docs/operators.md: its walks in a real browser, on a portal of the tests' own.
	@PICTURES=docs/pictures python -m pytest tests/browser/test_operator_walks.py -q

diagram: setup-dev ## Make docs/states.md from the table of a request's states.
	@python -m conductor.diagram > docs/states.md

fault-table: setup-dev ## Make docs/fault-table.md from the tables of states and of fault scenes.
	@python -m tests.faults.fault_table > docs/fault-table.md

statemachine: setup-dev ## Run the state machines on claims (2,000 times) and of a request (500) against Cassandra; says how far it is.
	@python -m pytest tests/races/test_state_machine.py tests/races/test_request_machine.py --hypothesis-profile=statemachine -s

bench: setup-dev ## Measure claims, decisions and schedule requests per second and what each costs in CPU.
	@python -m bench

simulate: setup ## Run 100 simulated hosts under a workload for a minute, on the portal that runs or one that it starts.
	@python manage.py simulate --start --hosts 100 --minutes 1 --rate 2 --lifetime 20 --failures 0.01 --kill 0.05

soak: setup ## The same with 1,000 hosts for ten minutes: 1 % of the builds fail, 5 % of the agents are killed and started again.
	@python manage.py simulate --start --cell soak --hosts 1000 --minutes 10 --rate 2 --lifetime 60 --failures 0.01 --kill 0.05

cassandra-start: setup ## Start the local Cassandra only.
	@python -m cluster start

cassandra-stop: ## Stop the local Cassandra.
	@if [ -x .venv/bin/python ]; then python -m cluster stop; fi

cassandra-status: setup ## Say whether the local Cassandra answers.
	@python -m cluster status

stop: ## Stop what `make run` started on this machine, wherever it was started from, Cassandra included.
	@if [ -x .venv/bin/python ]; then python -m setup.stop; fi

clean: ## Remove the Python environment, the jars and all caches; the data stays.
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache var/cassandra/lib
	@find . -name __pycache__ -type d -not -path './var/*' -prune -exec rm -rf {} +

reset: stop ## Stop everything and remove all data under var/: database, passwords, logs. There is no way back.
	@find "$(VAR)" -mindepth 1 -maxdepth 1 -not -name cassandra -not -name bootstrap.lock -exec rm -rf {} + 2>/dev/null || true
	@find "$(VAR)/cassandra" -mindepth 1 -maxdepth 1 -not -name lib -exec rm -rf {} + 2>/dev/null || true
