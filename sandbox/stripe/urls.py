"""The addresses of the sandbox."""

from django.urls import path, re_path
from django.views.generic import RedirectView

from sandbox.stripe.api import api_view
from sandbox.stripe.pages.checkout import checkout_view
from sandbox.stripe.pages.confirming import confirm_view
from sandbox.stripe.pages.control import act_view, events_view, object_view, objects_view
from sandbox.stripe.pages.credit_notes import credit_note_view
from sandbox.stripe.pages.files import file_view, stripe_js_view
from sandbox.stripe.pages.invoices import invoice_view
from sandbox.stripe.pages.json_api import api_index_view, lever_view
from sandbox.stripe.pages.mail import mail_view
from sandbox.stripe.pages.portal import portal_view
from sandbox.stripe.pages.receipts import receipt_view

urlpatterns = [
    re_path(r"^v1/", api_view),
    path("c/pay/<str:session_id>", checkout_view),
    path("c/confirm/<str:intent_id>", confirm_view),
    path("p/session/<str:session_id>/<str:token>", portal_view),
    path("receipts/<str:charge_id>/<str:secret>", receipt_view),
    path("invoices/<str:invoice_id>/<str:secret>", invoice_view),
    path("credit_notes/<str:credit_note_id>/<str:secret>", credit_note_view),
    path("stripe.js", stripe_js_view),
    path("assets/<str:name>", file_view),
    path("", RedirectView.as_view(url="/sandbox/")),
    path("sandbox/", objects_view),
    path("sandbox/objects/<str:object_id>/", object_view),
    path("sandbox/events/", events_view),
    path("sandbox/mail/", mail_view),
    path("sandbox/act/", act_view),
    path("sandbox/api/", api_index_view),
    path("sandbox/api/<str:name>", lever_view),
]
