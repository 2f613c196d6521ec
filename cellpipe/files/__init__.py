"""Files: whole or not at all, deleted in one place alone, tried again where a disk was away;
tables in the formats that people write.
"""
