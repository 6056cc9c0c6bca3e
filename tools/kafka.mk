# A real Kafka broker on 127.0.0.1:9092, from its Maven artifacts (java 17 and mvn).
# Included by the Makefile.

.PHONY: kafka
kafka: ## start a Kafka broker on 127.0.0.1:9092
	@$(PYTHON) tools/kafka.py start

.PHONY: kafka-stop
kafka-stop: ## stop it
	@$(PYTHON) tools/kafka.py stop

.PHONY: jars
jars:
	@$(PYTHON) tools/kafka.py jars
