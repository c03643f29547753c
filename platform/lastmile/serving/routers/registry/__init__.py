"""The schema registry in Confluent's protocol, for its clients: `http://127.0.0.1:3100/registry`."""
