"""Organisations with people, what happens to them, and the truth about it.

Each file of stories is about one kind of event; `mixes` puts them together. The same mix gives
the same lines, byte for byte, on every machine.
"""
