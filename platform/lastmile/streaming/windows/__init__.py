"""Windows of streams: tables that are added to in the transaction of the events' positions."""
