"""From an MQTT broker to the topic of a stream: acknowledged there when Kafka has acknowledged it here."""
