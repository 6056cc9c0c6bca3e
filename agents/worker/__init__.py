"""Detection on Kafka: several workers share the partitions of mail.facts. Faust lives here only."""
