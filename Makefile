# What people and CI call. The work is in scripts/, so that each step can be called by hand.
.DEFAULT_GOAL := help
.PHONY: help run build test format test-tsan test-asan test-long fuzz random bench clean

needed := libmosquitto-dev librabbitmq-dev libqpid-proton11-dev librdkafka-dev libssl-dev libssh-dev libyaml-dev libsqlite3-dev libcrypt-dev pkg-config
for_tests := mosquitto mosquitto-clients python3-qpid-proton sqlite3 gcc libc6-dev openssl openssh-server libjavascriptcoregtk-4.1-0 rabbitmq-server
for_bench := mosquitto gcc libc6-dev libcjson-dev wrk python3 libjavascriptcoregtk-4.1-0 nodejs rabbitmq-server

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Build and show a live demo: broker, service and 20 devices (HTTP_PORT, BROKER_PORT, DEVICES, RATE)
	@scripts/run-demo

build: ## Build the release binary, .build/release/twinspan
	@scripts/packages $(needed)
	@TITLE="building (release)" scripts/swift-build -c release --product twinspan

test: ## Check the format, build once, run every test; what CI runs
	@scripts/packages $(needed) $(for_tests)
	@scripts/check-format
	@TITLE="building the tests" STRICT=1 scripts/swift-build --build-tests
	@scripts/test

format: ## Format all Swift files in place
	swift format --in-place --recursive --parallel Package.swift Sources Tests Fuzzing

test-tsan: ## The tests where threads meet under the thread sanitizer (FILTER, . for all)
	@scripts/packages $(needed) $(for_tests)
	@scripts/test-sanitized thread

test-asan: ## The adapters, TLS and tunnels under the address sanitizer, with leaks (FILTER, . for all)
	@scripts/packages $(needed) $(for_tests)
	@scripts/test-sanitized address

test-long: ## The test with a million messages, and ten minutes of a dead broker
	@scripts/packages $(needed) $(for_tests)
	@TITLE="building the tests" scripts/swift-build --build-tests
	TWINSPAN_LONG=1 TWINSPAN_SLOW_MINUTES=10 TWINSPAN_BINARY="$(CURDIR)/.build/debug/twinspan" \
	    swift test --skip-build --filter 'EndToEndTests'

fuzz: ## libFuzzer on each parser for a minute (FUZZ_SECONDS, FUZZ_TARGET, FUZZ_INPUT)
	@scripts/fuzz

random: ## Seeded random tests, round after round (ROUNDS, SEED, FILTER)
	@scripts/packages $(needed) $(for_tests)
	@scripts/random-rounds

bench: ## Measure against the baselines; writes .build/bench/results.json (BENCH_FLAGS, e.g. --quick)
	@scripts/packages $(needed) $(for_bench)
	@TITLE="building (release)" scripts/swift-build -c release --product twinspan
	Benchmarks/run.py $(BENCH_FLAGS)

clean: ## Remove everything that was built
	rm -rf .build .build-thread .build-address
