"""Which tax number is shown on the invoices of a country's businesses, and how it is written (pure).

The kinds are Stripe's: https://docs.stripe.com/billing/customer/tax-ids (2026-10-28.endive). Of several that a country
has it is the one of value-added or sales tax. Others are entered in Stripe's portal.
"""

from dataclasses import dataclass

_EU_EXAMPLES = {
    "AT": "ATU12345678",
    "BE": "BE0123456789",
    "BG": "BG0123456789",
    "CY": "CY12345678Z",
    "CZ": "CZ1234567890",
    "DE": "DE123456789",
    "DK": "DK12345678",
    "EE": "EE123456789",
    "ES": "ESA1234567Z",
    "FI": "FI12345678",
    "FR": "FRAB123456789",
    "GR": "EL123456789",
    "HR": "HR12345678912",
    "HU": "HU12345678",
    "IE": "IE1234567AB",
    "IT": "IT12345678912",
    "LT": "LT123456789123",
    "LU": "LU12345678",
    "LV": "LV12345678912",
    "MC": "FRAB123456789",
    "MT": "MT12345678",
    "NL": "NL123456789B12",
    "PL": "PL1234567890",
    "PT": "PT123456789",
    "RO": "RO1234567891",
    "SE": "SE123456789123",
    "SI": "SI12345678",
    "SK": "SK1234567891",
}
_OTHERS = {
    "AE": ("ae_trn", "123456789012345"),
    "AU": ("au_abn", "12345678912"),
    "BR": ("br_cnpj", "01.234.456/5432-10"),
    "CA": ("ca_gst_hst", "123456789RT0002"),
    "CH": ("ch_vat", "CHE-123.456.789 MWST"),
    "CL": ("cl_tin", "12.345.678-K"),
    "GB": ("gb_vat", "GB123456789"),
    "IL": ("il_vat", "000012345"),
    "IM": ("gb_vat", "GB123456789"),
    "IN": ("in_gst", "12ABCDE3456FGZH"),
    "IS": ("is_vat", "123456"),
    "JP": ("jp_trn", "T1234567891234"),
    "KR": ("kr_brn", "123-45-67890"),
    "LI": ("li_vat", "12345"),
    "MX": ("mx_rfc", "ABC010203AB9"),
    "NO": ("no_vat", "123456789MVA"),
    "NZ": ("nz_gst", "123456789"),
    "RS": ("rs_pib", "123456789"),
    "SA": ("sa_vat", "123456789012345"),
    "SG": ("sg_gst", "M12345678X"),
    "TH": ("th_vat", "1234567891234"),
    "TR": ("tr_tin", "0123456789"),
    "TW": ("tw_vat", "12345678"),
    "UA": ("ua_vat", "123456789"),
    "US": ("us_ein", "12-3456789"),
    "ZA": ("za_vat", "4123456789"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxNumberKind:
    """The kind of tax number of a country."""

    type: str
    example: str


def tax_number_kind(*, country: str, value: str = "") -> TaxNumberKind | None:
    """The kind of a country's numbers; None where we know none. Northern Ireland's, with XI, are the Union's."""
    if country == "GB" and value.startswith("XI"):
        return TaxNumberKind(type="eu_vat", example="XI123456789")
    if country in _EU_EXAMPLES:
        return TaxNumberKind(type="eu_vat", example=_EU_EXAMPLES[country])
    if country in _OTHERS:
        type, example = _OTHERS[country]
        return TaxNumberKind(type=type, example=example)
    return None


def tidy_tax_number(*, country: str, value: str) -> str:
    """The number in capitals, and without the blanks that people put between its digits."""
    words = value.upper().split()
    return " ".join(words) if country == "CH" else "".join(words)
