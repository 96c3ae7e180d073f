"""How drf-spectacular writes the schema of the REST API."""

from typing import Any

SPECTACULAR_SETTINGS: dict[str, Any] = {
    "OAS_VERSION": "3.1.0",
    "TITLE": "Prepaid",
    "DESCRIPTION": "Prepaid credits for programs: spend, hold and settle, tell of usage, bill customers. "
    "Credits are decimal strings of six places, money is whole minor units beside its currency, times are ISO 8601 in "
    "UTC. A field or parameter that an address does not know is refused by its name.",
    "VERSION": "1",
    "TAGS": [
        {"name": "Balance and ledger", "description": "What a customer has, and every movement that made it so."},
        {"name": "Webhooks", "description": "Addresses of yours that are told what happens to credits."},
        {"name": "Spending", "description": "Debits for known prices; holds for prices that are known afterwards."},
        {"name": "Usage", "description": "What calls of models cost, before and after."},
        {"name": "Summaries", "description": "Commits and diffs in words, charged by what they took."},
        {"name": "Customers", "description": "Customers of a product that bills through this installation."},
        {"name": "Buying", "description": "Packs, and checkouts at Stripe."},
        {"name": "Staff", "description": "For people who look after customers."},
    ],
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "PREPROCESSING_HOOKS": ["billing.api.schema.generation.keep_api"],
    "POSTPROCESSING_HOOKS": ["billing.api.schema.generation.add_components"],
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENFORCE_NON_BLANK_FIELDS": True,
    "SORT_OPERATION_PARAMETERS": False,
    "ENABLE_DJANGO_DEPLOY_CHECK": False,  # make lint and the tests hold the schema
}
