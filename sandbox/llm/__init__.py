"""A deterministic stand-in for an OpenAI-compatible API, as a process of its own. It needs Python's library only.

wishes.py      what a prompt asks the stand-in itself: [write 20 tokens], [fail 500]    counting.py   tokens of texts
answers.py     chat completions, whole and in pieces                                    objects.py    embeddings, images
examples.py    JSON that fits a schema, for tools and formats                           diffs.py      summaries of diffs
server.py      HTTP                                                                      testing.py    for pytest
"""
