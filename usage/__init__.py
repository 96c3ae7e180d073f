"""What customers spent their credits on: metering, providers of language models, the OpenAI-compatible endpoint."""
