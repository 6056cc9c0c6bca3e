"""The sinks of a site on Kafka: each reads the alerts for itself."""
