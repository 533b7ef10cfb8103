"""`videossr doctor`: whether this machine, or every node of a Ray cluster, is fit to train. Each finding has a
remedy.
"""
