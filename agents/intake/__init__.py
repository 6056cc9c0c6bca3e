"""Raw records that others publish on Kafka, on their way to events."""
