"""Alerts in the formats that others read, one file each. Pure: an alert in, text or a tree out."""
