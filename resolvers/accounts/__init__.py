"""Accounts of people: making and changing them, signing in and out, and the audit records of both.

The rows are outside the graph, so nothing here is an action: each function is one transaction of its own.
"""
