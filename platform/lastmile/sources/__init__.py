"""What the platform asks for data: REST APIs, databases, their changes. Each run lands drops."""
