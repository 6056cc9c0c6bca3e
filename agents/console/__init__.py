"""The operator's web console: what is going on, is it bad, what was done, what can be done.

It is a process of its own, also beside `mailwarden run`, so that no viewer slows detection. What
it shows lies in a read model (shelf.py) that follows the store of this server or Kafka; what
people order goes through the ledger that the command line uses.
"""
