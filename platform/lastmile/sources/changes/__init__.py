"""The changes of a table of a Postgres: a snapshot of it, then each change in the order in which they were committed.

They come by logical replication, which every Postgres has, and end in three tables: `changes.<source>` has the rows as
they are now, `changes.<source>_history` each change, and `changes.<source>_images` the rows as the database wrote them.
Rows and the position up to which they are read commit together, and only then does the database learn that it may
forget what it kept for us. So each change is here once, whatever is killed.
"""
