"""Why an attempt to connect failed, in words that say what to check."""

from __future__ import annotations

import ssl

CHECK_TLS = "check [broker] port, and whether it wants tls"
SIGN_IN = frozenset({"Not authorized", "Bad user name or password"})
"""What a broker answers to whom it does not know."""

CHECK_SIGN_IN = "; check [broker] username, password_file and the broker's list of names"
_OUT_OF_DATE = frozenset({9, 10})
"""X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED of OpenSSL's x509_vfy.h."""


def words(error: BaseException | None, *, tls: bool) -> str:
    """Return what the system says, and what to do about it where that is known."""
    if isinstance(error, ssl.SSLCertVerificationError):
        remedy = "check [broker] ca_file"
        if error.verify_code in _OUT_OF_DATE:
            remedy = "renew it at the broker, or set this machine's clock"
        return f"its certificate is not trusted: {error.verify_message}; {remedy}"
    said = str(getattr(error, "strerror", None) or error or "")
    if tls and isinstance(error, ssl.SSLError | ConnectionResetError):
        return f"{said}; {CHECK_TLS}"
    return said
