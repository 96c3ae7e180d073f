"""The pages of vouchers: terms, preview, codes shown once, and what colleagues decide."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from accounts.models import User
from billing.models import AuditEntry, VoucherBatch, VoucherCode
from billing.services.voucher_codes import hash_code
from billing.tests.vouchers import make_batch, make_verified_customer, redeem

pytestmark = pytest.mark.django_db
MAKE = "/admin/billing/voucherbatch/make/"
VIEWING = ("view_voucherbatch", "view_vouchercode", "view_voucherredemption")


def make_staff(name: str, *codenames: str) -> Client:
    user, client = User.objects.create_user(f"{name}@example.com", is_staff=True), Client()
    user.user_permissions.set(Permission.objects.filter(codename__in=[*codenames, *VIEWING]))
    client.force_login(user)
    return client


@pytest.fixture
def issuer(db: None) -> Client:
    return make_staff("issuer", "issue_vouchers")


@pytest.fixture
def approver(db: None) -> Client:
    return make_staff("approver", "approve_credits")


def fill_in(**changes: Any) -> dict[str, Any]:
    form = {
        "name": "Spring fair",
        "credits": "50",
        "code_count": "3",
        "uses_per_code": "1",
        "uses_per_customer": "1",
        "valid_until": "2099-12-31T23:59",
        "lifetime_days": "30",
        "note": "For the fair",
        "form_id": str(uuid4()),
    }
    return {**form, **changes}


def make(client: Client, **changes: Any) -> Any:
    return client.post(MAKE, {**fill_in(**changes), "confirm": "1"})


def test_preview_makes_nothing_and_says_what_it_could_bring(issuer: Client) -> None:
    page = issuer.post(MAKE, fill_in(code_count="20")).content.decode()

    assert "1,000 credits" in page
    assert "30 days after the use" in page
    assert "Make them and show the codes" in page
    assert not VoucherBatch.objects.exists()


def test_preview_says_which_limit_lets_them_wait(issuer: Client) -> None:
    page = issuer.post(MAKE, fill_in(code_count="21")).content.decode()

    assert "More than 1,000 credits at once need a second person." in page
    assert "Make them and ask for approval" in page


def test_codes_are_shown_once_and_kept_by_no_cache(issuer: Client) -> None:
    form_id = str(uuid4())

    page = make(issuer, form_id=form_id)
    again = make(issuer, form_id=form_id)

    codes = page.context["codes"].split()
    assert {hash_code(code) for code in codes} == set(VoucherCode.objects.values_list("code_hash", flat=True))
    assert all(code in page.content.decode() for code in codes)
    assert "no-store" in page["Cache-Control"]
    assert again.status_code == 302
    assert VoucherCode.objects.count() == 3
    assert codes[0] not in issuer.get(again["Location"]).content.decode()


def test_codes_are_taken_along_as_csv_by_who_has_just_seen_them(issuer: Client, approver: Client) -> None:
    page = make(issuer, name="=Spring")
    batch = VoucherBatch.objects.get()
    address = f"/admin/billing/voucherbatch/{batch.pk}/codes/"

    answer = issuer.post(address, {"codes": page.context["codes"]})

    lines = answer.content.decode().splitlines()
    first = page.context["codes"].split()[0]
    assert lines[0] == "code,batch,name,credits,uses,valid_from,valid_until"
    assert lines[1].startswith(f"{first},{batch.public_id},'=Spring,50.000000,1,")
    assert lines[1].endswith(",2099-12-31 23:59:00")
    assert len(lines) == 4
    assert AuditEntry.objects.get(action="vouchers.export").after == {"codes": 3}
    for client, codes in ((approver, page.context["codes"]), (issuer, ""), (issuer, f"{first} 0000-0000-0000-0000")):
        assert client.post(address, {"codes": codes}).status_code == 403


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"credits": "0"}, "is not above zero"),
        ({"credits": "many"}, "is not a number"),
        ({"uses_per_customer": "2"}, "2 cannot be"),
        ({"valid_until": "2020-01-01T00:00"}, "it is not after the beginning and now"),
        ({"credits_expire_at": "2100-01-01T00:00"}, "there is a moment, too"),
        ({"code_count": "5001"}, "less than or equal to 5000"),
        ({"note": " "}, "This field is required"),
    ],
)
@pytest.mark.parametrize("confirm", [{}, {"confirm": "1"}])
def test_fault_is_told_at_its_field(
    issuer: Client, changes: dict[str, str], words: str, confirm: dict[str, str]
) -> None:
    page = issuer.post(MAKE, {**fill_in(**changes), **confirm})

    assert words in page.content.decode()
    assert 'name="confirm"' not in page.content.decode()
    assert not VoucherBatch.objects.exists()


def test_colleague_approves_or_declines_what_waits(issuer: Client, approver: Client) -> None:
    for name, state, note in (("approve", "active", ""), ("decline", "declined", "Too many")):
        make(issuer, code_count="100")
        batch = VoucherBatch.objects.get(state="waiting")
        address = f"/admin/billing/voucherbatch/{batch.pk}/{name}/"
        assert "100 codes, which can bring 5,000 credits in all." in approver.get(address).content.decode()

        answer = approver.post(address, {"note": note, "confirm": "1"})

        assert answer.status_code == 302
        batch.refresh_from_db()
        assert batch.state == state


def test_batch_is_disabled_with_a_reason(issuer: Client) -> None:
    batch = make_batch().batch
    address = f"/admin/billing/voucherbatch/{batch.pk}/disable/"

    assert issuer.post(address, {"reason": ""}).status_code == 200
    issuer.post(address, {"reason": "Leaked", "confirm": "1"})
    again = issuer.post(address, {"reason": "Leaked", "confirm": "1"})

    batch.refresh_from_db()
    assert batch.state == "disabled"
    assert AuditEntry.objects.get(action="vouchers.disable").reason == "Leaked"
    assert "is disabled already" in again.content.decode()


def test_buttons_are_those_that_can_be_used(issuer: Client, approver: Client) -> None:
    active, waiting = make_batch().batch, make_batch(code_count=100).batch

    def offered(client: Client, batch: VoucherBatch) -> set[str]:
        page = client.get(f"/admin/billing/voucherbatch/{batch.pk}/change/").content.decode()
        return {name for name in ("approve", "decline", "disable") if f"/{batch.pk}/{name}/" in page}

    assert offered(issuer, active) == offered(approver, active) == {"disable"}
    assert offered(issuer, waiting) == set()
    assert offered(approver, waiting) == {"approve", "decline"}


def test_lists_say_who_used_which_code(issuer: Client) -> None:
    made = make_batch(code_count=2)
    customer = make_verified_customer()
    redemption = redeem(customer, made.codes[0]).redemption
    email = customer.user.email if customer.user else ""

    batches = issuer.get("/admin/billing/voucherbatch/").content.decode()
    codes = issuer.get("/admin/billing/vouchercode/", {"batch__id__exact": made.batch.pk}).content.decode()
    found = issuer.get("/admin/billing/vouchercode/", {"q": made.codes[1][-4:]}).content.decode()
    uses = issuer.get("/admin/billing/voucherredemption/", {"code__id__exact": redemption.code_id}).content.decode()

    assert "1 of 2" in batches
    assert all(f"…{code[-4:]}" in codes for code in made.codes)
    assert f"…{made.codes[1][-4:]}" in found
    assert email in uses
