# A real Kafka broker on 127.0.0.1:9092, from its Maven artifacts (java 17 and mvn).
# Included by the Makefile.

.PHONY: kafka kafka-stop

kafka: ## start a Kafka broker on 127.0.0.1:9092
	@python3 tools/kafka.py start

kafka-stop: ## stop it
	@python3 tools/kafka.py stop
