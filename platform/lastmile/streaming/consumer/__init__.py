"""The process that reads a stream: its membership in the group, its batches, and the transaction that commits each."""
