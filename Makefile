# Les gestes du projet. `make` seul les montre.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# Pinned, and built here: a machine's own version may know other rules.
# Unoptimised: they read small files, and compile in half the time.
CARGO_DENY := 0.20.2
CARGO_MACHETE := 0.9.2
CARGO_CYCLONEDX := 0.5.9
CFN_GUARD := 3.2.1

TOOLS := .local/tools
VENV := .local/venv
PYTHON ?= python3
STACK := $(PYTHON) infra/local/stack.py
DEPLOY := $(VENV)/bin/python infra/local/deploy.py
VENV_TEST := .local/venv-test
# Oldest supported PostgreSQL: every statement is prepared on it, too, where it is installed.
PG15 ?= /usr/lib/postgresql/15/bin
PAGES := $(VENV_TEST)/bin/pytest tests/page
WATCH_PORT ?= 9000

# One target folder and one triple for every cargo call: run, tests and deployment share what was compiled.
ifndef CARGO_BUILD_TARGET
CARGO_BUILD_TARGET := $(shell rustc -vV 2>/dev/null | sed -n 's/^host: //p')
endif
export CARGO_BUILD_TARGET
export PATH := $(CURDIR)/$(VENV)/bin:$(CURDIR)/$(TOOLS)/bin:$(PATH)
export SAM_CLI_TELEMETRY := 0
# cargo-lambda with the settings of the local stack: nothing is compiled twice.
LOCAL_LAMBDA := CARGO_LAMBDA_GLOBAL=$(CURDIR)/infra/local/cargo-lambda.toml

.PHONY: help
help: ## Montre cette aide
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

.PHONY: setup
setup: ## Installe les outils dans .local (fait tout seul par les autres)
	@$(STACK) setup

.PHONY: build
build: ## Compile tout, une fois pour l'exécution et les tests
	@cargo build --release --locked --workspace --bins

.PHONY: run
run: ## Démarre la pile locale et synchronise tout ; GAZELLE_URL, GAZELLE_API_KEY, DATABASE_URL pour les vrais
	@$(STACK) run $(if $(SCHEDULES),--schedules $(SCHEDULES)) $(if $(SIM_ARGS),--sim-args='$(SIM_ARGS)')

.PHONY: stop
stop: ## Arrête la pile locale
	@$(STACK) down

.PHONY: test
test: $(VENV_TEST)/stamp ## Passe tous les tests, sur une pile à eux
	@trap '$(STACK) down --name test --purge; $(STACK) down --name test15 --purge >/dev/null' EXIT; \
	$(STACK) pgbouncer >/dev/null; \
	$(STACK) up --name test --schedules DISABLED; \
	variables="$$($(STACK) env --name test)"; eval "$$variables"; \
	cargo test --release --locked --workspace; \
	if [ -x '$(PG15)/initdb' ]; then \
	  echo "▸ Les requêtes, sur PostgreSQL 15…"; \
	  DATABASE_URL="$$(env -u DATABASE_URL STACK_PG_BIN='$(PG15)' $(STACK) postgres --name test15 | tail -n 1)" \
	    cargo test --release --locked --workspace --test it -- statements; \
	else \
	  echo "▸ Pas de PostgreSQL 15 dans $(PG15) : les requêtes ne sont vérifiées que sur PostgreSQL 18 (PG15=… pour l'indiquer)."; \
	fi; \
	target/$(CARGO_BUILD_TARGET)/release/counts; \
	$(VENV)/bin/python infra/checks/update.py --stack test; \
	$(VENV)/bin/python infra/checks/permissions.py --stack test; \
	$(PAGES) --stack test; \
	$(VENV)/bin/python infra/checks/recipe.py

.PHONY: compat
compat: build ## Passe les tests de la base sur un autre PostgreSQL : make compat PG_BIN=/usr/lib/postgresql/15/bin
	@trap '$(STACK) down --name compat --purge' EXIT; \
	$(STACK) pgbouncer >/dev/null; \
	export DATABASE_URL="$$(STACK_PG_BIN='$(PG_BIN)' $(STACK) postgres --name compat | tail -n 1)"; \
	cargo test --release --locked --workspace --test it -- archiving hostile import_v5 incidents matching mirroring odd_v5 parts pooled promotion replaying secured staging statements windows zero_trust

.PHONY: recipe
recipe: setup ## Suit la recette de CONTRIBUTING.md dans une copie : une entité de plus, construite et synchronisée
	@$(VENV)/bin/python infra/checks/recipe.py

.PHONY: pages
pages: $(VENV_TEST)/stamp ## Passe la page dans un vrai navigateur et l'API contre son contrat, sur une pile à eux
	@trap '$(STACK) down --name pages --purge' EXIT; \
	$(STACK) up --name pages --schedules DISABLED; \
	$(PAGES) --stack pages

.PHONY: picture
picture: $(VENV_TEST)/stamp ## Refait l'image du README
	@trap '$(STACK) down --name picture --purge' EXIT; \
	$(STACK) up --name picture --schedules DISABLED; \
	$(PAGES)/picture.py --stack picture

.PHONY: check
check: setup $(TOOLS)/bin/cargo-deny $(TOOLS)/bin/cargo-machete $(TOOLS)/bin/cfn-guard ## Vérifie le style, les lints, les types, la documentation, les dépendances, le gabarit
	cargo fmt --all --check
	cargo clippy --release --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --release --locked --no-deps --workspace
	cargo deny --locked check bans licenses sources
	cargo machete
	AWS_REGION=ca-central-1 sam validate --lint
	$(PYTHON) infra/checks/scan.py
	ruff check
	ruff format --check
	mypy

.PHONY: figures
figures: ## Affiche les chiffres de style du code (REV=… pour ceux d'une version d'avant)
	@$(PYTHON) infra/checks/style_figures.py $(if $(REV),--rev '$(REV)')

.PHONY: audit
audit: $(TOOLS)/bin/cargo-deny ## Cherche les failles connues des dépendances (demande le réseau)
	cargo deny --locked check advisories

.PHONY: bench
bench: build ## Mesure le débit : pages brutes → production, 100 000 enregistrements
	@trap '$(STACK) down --name bench --purge' EXIT; \
	export DATABASE_URL="$$($(STACK) postgres --name bench | tail -n 1)"; \
	target/$(CARGO_BUILD_TARGET)/release/throughput; \
	target/$(CARGO_BUILD_TARGET)/release/throughput bad; \
	target/$(CARGO_BUILD_TARGET)/release/throughput parts

.PHONY: fuzz
fuzz: build ## Tord 12 millions d'entrées au hasard : rien ne doit paniquer (deux minutes)
	@target/$(CARGO_BUILD_TARGET)/release/fuzz

.PHONY: latency
latency: build ## Mesure le délai d'un changement jusqu'à la table, par les planifications (20 minutes)
	@trap '$(STACK) down --name latency --purge' EXIT; \
	$(STACK) up --name latency --schedules ENABLED; \
	variables="$$($(STACK) env --name latency)"; eval "$$variables"; \
	target/$(CARGO_BUILD_TARGET)/release/latency

.PHONY: status
status: ## Dit l'état dans le terminal ; HEALTH_URL et HEALTH_TOKEN pour une pile déployée sur AWS
	@if [ -z "$${HEALTH_URL:-}" ]; then variables="$$($(STACK) env)"; eval "$$variables"; fi; \
	curl --silent --show-error --max-time 20 --noproxy localhost,127.0.0.1 \
	  $${HEALTH_HOST:+--header "Host: $$HEALTH_HOST"} --header "Accept-Language: $${LANGUE:-fr}" \
	  --header @<(printf 'Authorization: Bearer %s' "$$HEALTH_TOKEN") "$${HEALTH_URL%/}/api/v6/status"

.PHONY: drill
drill: build ## Exercice d'alerte : chaque panne dix fois, et le délai jusqu'à l'alerte (deux heures)
	@trap '$(STACK) down --name drill --purge' EXIT; \
	$(STACK) up --name drill --schedules ENABLED; \
	variables="$$($(STACK) env --name drill)"; eval "$$variables"; \
	target/$(CARGO_BUILD_TARGET)/release/drill --rounds $(or $(ROUNDS),10) $(if $(ONLY),--only '$(ONLY)')

.PHONY: watch
watch: setup ## Recharge les fonctions à chaque modification (la pile doit tourner : make run)
	@variables="$$($(STACK) env)"; eval "$$variables"; $(STACK) env --lambda >/dev/null; \
	echo "cargo lambda invoke fetcher -A 127.0.0.1 -p $(WATCH_PORT) --data-ascii '{\"entity\":\"clients\"}'"; \
	$(LOCAL_LAMBDA) cargo lambda watch --release --invoke-address 127.0.0.1 --invoke-port $(WATCH_PORT) --env-file .local/dev/lambda.env

.PHONY: logs
logs: ## Suit les journaux de la pile locale
	@$(STACK) logs

.PHONY: package
package: setup ## Prépare un déploiement sur AWS (arm64), comme make deploy le fait ; ensuite : sam deploy --config-env dev
	@env -u CARGO_BUILD_TARGET $(VENV)/bin/sam build

# STAGE and TO reach the commands by the environment, so that no shell reads what they hold.
.PHONY: deploy
deploy: setup ## Déploie sur AWS : make deploy STAGE=dev|prod (migre, déploie, vérifie ; DATABASE_URL)
	@$(DEPLOY) deploy --stage "$${STAGE:-}"

.PHONY: rollback
rollback: setup ## Redéploie une version d'avant : make rollback STAGE=prod TO=v6.0.0
	@$(DEPLOY) rollback --stage "$${STAGE:-}" --to "$${TO:-}"

.PHONY: pause
pause: setup ## Arrête les planifications d'une pile déployée : make pause STAGE=prod
	@$(DEPLOY) pause --stage "$${STAGE:-}"

.PHONY: resume
resume: setup ## Remet les planifications : make resume STAGE=prod
	@$(DEPLOY) resume --stage "$${STAGE:-}"

.PHONY: doctor
doctor: setup ## Vérifie une installation sur AWS : make doctor STAGE=prod
	@$(DEPLOY) doctor --stage "$${STAGE:-}"

.PHONY: sbom
sbom: $(TOOLS)/bin/cargo-cyclonedx ## Écrit la liste des dépendances (CycloneDX) dans target/sbom
	@mkdir -p target/sbom; cargo cyclonedx --format json --all --spec-version 1.5 --target aarch64-unknown-linux-gnu --quiet; \
	find . -name '*.cdx.json' -not -path './target/*' -not -path './.local/*' -exec mv -t target/sbom {} +; \
	ls target/sbom

.PHONY: clean
clean: ## Arrête et efface les piles locales, les outils et ce qui est compilé
	@for stack in .local/*/stack.json; do \
	  if [ -e "$$stack" ]; then $(STACK) down --purge --name "$$(basename "$$(dirname "$$stack")")"; fi; \
	done
	@rm -rf .local .aws-sam
	@cargo clean

$(VENV_TEST)/stamp: infra/local/requirements-test.txt
	@echo "▸ Installation des outils des tests de la page dans $(VENV_TEST) (une fois, une minute)…"
	@rm -rf $(VENV_TEST); $(PYTHON) -m venv $(VENV_TEST)
	@$(VENV_TEST)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: -r $<
	@touch $@

$(TOOLS)/bin/cargo-deny:
	@echo "▸ Compilation de cargo-deny $(CARGO_DENY) (une fois, quelques minutes)…"
	@cargo install --debug --quiet --locked --root $(TOOLS) cargo-deny@$(CARGO_DENY)

$(TOOLS)/bin/cargo-machete:
	@echo "▸ Compilation de cargo-machete $(CARGO_MACHETE) (une fois)…"
	@cargo install --debug --quiet --locked --root $(TOOLS) cargo-machete@$(CARGO_MACHETE)

$(TOOLS)/bin/cargo-cyclonedx:
	@echo "▸ Compilation de cargo-cyclonedx $(CARGO_CYCLONEDX) (une fois, quelques minutes)…"
	@cargo install --debug --quiet --locked --root $(TOOLS) cargo-cyclonedx@$(CARGO_CYCLONEDX)

$(TOOLS)/bin/cfn-guard:
	@echo "▸ Compilation de cfn-guard $(CFN_GUARD) (une fois, quelques minutes)…"
	@cargo install --debug --quiet --locked --root $(TOOLS) cfn-guard@$(CFN_GUARD)
