"""Alerts to incidents: what belongs together, told as one story, and what people make of it. No IO.

An incident is computed anew from the alerts, decisions and cases that are kept, whatever order
they come in; only a case (schemas/incidents.py) is state of its own.
"""
