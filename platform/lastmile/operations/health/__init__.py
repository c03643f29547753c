"""Whether each process lives and is ready, seen from outside of it, within a second and without importing Dagster.

A process *lives* unless it has to be started anew; it is *ready* when what it is for can be had of it. What it stands
on (the database, the store) never counts against its life: to start it again would mend nothing.
"""
