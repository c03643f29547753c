"""The watcher: a process outside Dagster that evaluates alerts, sends their messages and shows metrics."""
