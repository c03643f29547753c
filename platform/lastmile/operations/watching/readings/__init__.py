"""What the watcher looks at: the values that rules are held against."""
