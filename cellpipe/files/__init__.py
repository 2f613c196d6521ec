"""Files: whole or not at all, deleted in one place alone, tried again where a disk was away;
tables as people write them.
"""
