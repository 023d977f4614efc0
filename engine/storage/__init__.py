"""The artifact store, the database and its migrations."""
