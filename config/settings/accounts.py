"""How people sign up, log in and are told about it (django-allauth)."""

from typing import Any

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS: list[dict[str, Any]] = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 8}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/billing/"
# Production turns it on: staff without a second factor are sent to set one up before they see the admin.
STAFF_NEEDS_SECOND_FACTOR = False
# Who keeps the log of what staff do: this app's admin pages and logins tell it, without knowing it.
STAFF_ACT_RECORDER = "billing.admin.acts.record_staff_act"

ACCOUNT_ADAPTER = "accounts.adapters.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_EMAIL_SUBJECT_PREFIX = "[Prepaid] "
ACCOUNT_EMAIL_NOTIFICATIONS = True  # a mail for each change of a password, an address or a second factor
ACCOUNT_CHANGE_EMAIL = True
ACCOUNT_LOGIN_ON_EMAIL_CONFIRMATION = True  # in the browser that signed up; any other is asked to log in
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = False
ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
ACCOUNT_REAUTHENTICATION_REQUIRED = True  # an address or a password is changed by who knows the password
ACCOUNT_SESSION_REMEMBER = True

MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_TOTP_ISSUER = "Prepaid"
MFA_TOTP_TOLERANCE = 1  # clocks of telephones are up to half a minute off
MFA_PASSKEY_LOGIN_ENABLED = True
USERSESSIONS_TRACK_ACTIVITY = False  # noting it would be a write for each page

SOCIALACCOUNT_ADAPTER = "accounts.adapters.SocialAccountAdapter"
SOCIALACCOUNT_EMAIL_VERIFICATION = "mandatory"  # asked for only where Google does not vouch for the address


def google_provider(*, client_id: str, secret: str) -> dict[str, Any]:
    """The `SOCIALACCOUNT_PROVIDERS` entry of Google; without a client id it has no application, and no page."""
    applications = [{"client_id": client_id, "secret": secret}] if client_id else []
    return {"google": {"APPS": applications, "SCOPE": ["profile", "email"], "OAUTH_PKCE_ENABLED": True}}
