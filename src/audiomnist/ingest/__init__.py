"""Stage `ingest`: downloads or copies the recordings, and checks them against the manifest."""
