"""Partitions by time: what they cover, making and retiring them, and making a table a partitioned one."""
