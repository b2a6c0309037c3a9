"""Stage `ingest`: the recordings, from upstream or a local folder, checked against the manifest."""
