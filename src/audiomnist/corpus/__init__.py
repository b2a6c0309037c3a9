"""Where recordings come from: upstream's archive, a folder or archive of the user's, a synthesiser."""
