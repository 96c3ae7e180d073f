"""The OpenAI-compatible endpoint, `/v1/`: any OpenAI client with our address and one of our keys.

base.py      what every address is built on          errors.py      refusals in OpenAI's shape
reading.py   what we read of a request               receipts.py    what an answer says of its cost
texts.py     what an answer says
chat.py      chat completions                        streaming.py   their streams
embeddings.py   images.py   models.py                serving.py     from the hold to the provider's answer

Requests go to the provider as they came, and answers come back as they are, with `prepaid` added.
"""
