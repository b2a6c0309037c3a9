"""Object stores: URLs of folders in them, their client, and sentences for its errors."""
