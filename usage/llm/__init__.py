"""The providers of language models, spoken to as OpenAI's API is.

providers.py   which address and key a provider has      client.py   requests to it, plain and streaming
failures.py    what can go wrong with one                chat.py     one question, one answer, for our own jobs
sse.py         the events of a stream
"""
