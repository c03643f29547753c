"""Who is most active, and which posts are most commented."""
