"""What vsr-pods is made of: a file a story. Python's standard library only, from 3.9 on."""
