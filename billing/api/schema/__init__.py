"""What `/api/schema/` says about the REST API, in OpenAPI 3.1.

operations.py    what is said about one endpoint, and the table that all of them are in
generation.py    drf-spectacular's reading of views, which takes what it needs from that table
extensions.py    fields, strict bodies and ways in as drf-spectacular shall see them
problems.py      refusals: one document and one answer for each status
shapes.py        bodies of answers       examples.py   what examples share
reading.py, spending.py, buying.py, webhooks.py  the endpoints of billing

Bodies of requests and parameters are read from the serializers and filters that check them.
"""
