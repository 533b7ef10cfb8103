"""Reads and writes files so that nothing is half-written, held by two writers, or believed unread."""
