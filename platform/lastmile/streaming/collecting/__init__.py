"""Events of web pages on their way into a topic: by which key they come, and how they are read."""
