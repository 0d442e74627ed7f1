"""Standing checks: what must go on holding is looked at again and again, and somebody is told when it does not.

``running`` makes the checks and keeps what they found; ``webhook`` and ``prometheus`` tell others.
"""
