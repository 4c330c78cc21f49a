"""Certificates of an authority that lives as long as a test."""

from __future__ import annotations

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class _Pair(NamedTuple):
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


class Certificates(NamedTuple):
    """Files in PEM: the authority, and what it signed for 127.0.0.1 and for a client."""

    authority: Path
    server: Path
    server_key: Path
    client: Path
    client_key: Path

    @classmethod
    def make(cls, folder: Path) -> Certificates:
        authority = _signed("authority", None)
        server, client = _signed("server", authority), _signed("client", authority)
        paths = cls(*(folder / f"{name}.pem" for name in cls._fields))
        _write(paths.authority, authority.certificate)
        _write(paths.server, server.certificate)
        _write(paths.server_key, server.key)
        _write(paths.client, client.certificate)
        _write(paths.client_key, client.key)
        return paths

    def server_context(self, *, asks: bool = False) -> ssl.SSLContext:
        """Return what a server needs; ``asks``: it takes only clients of the authority."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=self.authority)
        context.load_cert_chain(self.server, self.server_key)
        if asks:
            context.verify_mode = ssl.CERT_REQUIRED
        return context


def _signed(name: str, issuer: _Pair | None) -> _Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    signing_key = issuer.key if issuer else key
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signing_key.public_key()),
            critical=False,
        )
    )
    if issuer is None:
        usage = x509.KeyUsage(
            digital_signature=False, content_commitment=False, key_encipherment=False,
            data_encipherment=False, key_agreement=False, key_cert_sign=True, crl_sign=True,
            encipher_only=False, decipher_only=False,
        )  # fmt: skip
        builder = builder.add_extension(usage, critical=True)
    else:
        address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        builder = builder.add_extension(x509.SubjectAlternativeName([address]), critical=False)
    return _Pair(builder.sign(signing_key, hashes.SHA256()), key)


def _write(path: Path, made: x509.Certificate | ec.EllipticCurvePrivateKey) -> None:
    if isinstance(made, x509.Certificate):
        path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        return
    path.write_bytes(
        made.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
