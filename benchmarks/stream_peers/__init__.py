"""What the sections `stream_peers` and `stream_commits` are made of: events, a broker, programs that make windows."""
