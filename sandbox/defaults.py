"""Where the stand-ins listen and which keys they take, when nobody says otherwise. None of them is a secret."""

from typing import Final

STRIPE_PORT_OFFSET: Final = 10  # a stand-in's port is the web server's plus this
LLM_PORT_OFFSET: Final = 20
LLM_API_KEY: Final = "sk-sandbox"
STRIPE_SECRET_KEY: Final = "sk_test_sandbox"
STRIPE_PUBLISHABLE_KEY: Final = "pk_test_sandbox"
STRIPE_WEBHOOK_SECRET: Final = "whsec_sandbox"
DEMO_REPOSITORY: Final = "demo-repository"  # below var/: what can be summarised when nobody names a repository


def stripe_api_base(*, web_port: int) -> str:
    """Where the stand-in is that belongs to the web server on this port."""
    return f"http://127.0.0.1:{web_port + STRIPE_PORT_OFFSET}"


def stripe_js_url(api_base: str) -> str:
    """Where the stand-in serves its stripe.js."""
    return f"{api_base}/stripe.js"


def llm_base_url(*, web_port: int) -> str:
    """Where the stand-in for language models is that belongs to the web server on this port."""
    return f"http://127.0.0.1:{web_port + LLM_PORT_OFFSET}/v1"
