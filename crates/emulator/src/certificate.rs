//! A throw-away certificate for the proxy: made at start, kept in memory, signed by nobody but itself.

use std::{io, sync::Arc};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivatePkcs8KeyDer},
};

// Tags of X.690.
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const UTF8: u8 = 0x0c;
const UTC_TIME: u8 = 0x17;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const DNS_NAME: u8 = 0x82;
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;

// Object identifiers, encoded: ecdsa-with-SHA256 (RFC 5758), ecPublicKey and prime256v1 (RFC 5480), commonName,
// subjectAltName.
const ECDSA_SHA256: &[u8] = b"\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02";
const EC_PUBLIC_KEY: &[u8] = b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01";
const PRIME256V1: &[u8] = b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
const ALTERNATIVE_NAME: &[u8] = b"\x06\x03\x55\x1d\x11";
const COMMON_NAME: &[u8] = b"\x06\x03\x55\x04\x03";

/// A fresh key with its certificate.
pub struct Certificate {
    pub server: Arc<ServerConfig>,
    /// For clients that are to trust it.
    pub pem: String,
}

/// # Errors
/// When no key can be made or TLS can't be set up.
pub fn generate() -> io::Result<Certificate> {
    let random = SystemRandom::new();
    let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
    let key = EcdsaKeyPair::generate_pkcs8(algorithm, &random).map_err(failed)?;
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, key.as_ref(), &random).map_err(failed)?;
    let body = unsigned(pair.public_key().as_ref());
    let signature = pair.sign(&random, &body).map_err(failed)?;
    let signed = der(
        SEQUENCE,
        &[&body, &der(SEQUENCE, &[ECDSA_SHA256]), &bits(signature.as_ref())],
    );
    let pem = pem(&signed);
    let key = PrivatePkcs8KeyDer::from(key.as_ref().to_vec());
    let server = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from(signed)], key.into())
        .map_err(io::Error::other)?;
    Ok(Certificate {
        server: Arc::new(server),
        pem,
    })
}

/// The cryptography library has no error type of the usual kind.
fn failed(error: impl std::fmt::Display) -> io::Error {
    io::Error::other(error.to_string())
}

fn pem(der: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(der);
    let lines = text.as_bytes().chunks(64).map(String::from_utf8_lossy);
    let body: String = lines.map(|line| format!("{line}\n")).collect();
    format!("-----BEGIN CERTIFICATE-----\n{body}-----END CERTIFICATE-----\n")
}

/// What is signed: an X.509 certificate of version 3 (RFC 5280, 4.1).
fn unsigned(public_key: &[u8]) -> Vec<u8> {
    let name = der(
        SEQUENCE,
        &[&der(
            SET,
            &[&der(
                SEQUENCE,
                &[COMMON_NAME, &der(UTF8, &[b"llm-deploy emulator"])],
            )],
        )],
    );
    let validity = der(
        SEQUENCE,
        &[
            &der(UTC_TIME, &[b"200101000000Z"]),
            &der(UTC_TIME, &[b"491231235959Z"]),
        ],
    );
    let key = der(
        SEQUENCE,
        &[&der(SEQUENCE, &[EC_PUBLIC_KEY, PRIME256V1]), &bits(public_key)],
    );
    der(
        SEQUENCE,
        &[
            &der(VERSION, &[&der(INTEGER, &[&[2]])]),
            &der(INTEGER, &[&[1]]),
            &der(SEQUENCE, &[ECDSA_SHA256]),
            &name,
            &validity,
            &name,
            &key,
            &der(EXTENSIONS, &[&der(SEQUENCE, &[&alternative_names()])]),
        ],
    )
}

/// Stands for every Google API's host (RFC 5280, 4.2.1.6).
fn alternative_names() -> Vec<u8> {
    let names = der(SEQUENCE, &[&der(DNS_NAME, &[b"*.googleapis.com"])]);
    der(SEQUENCE, &[ALTERNATIVE_NAME, &der(OCTET_STRING, &[&names])])
}

fn bits(content: &[u8]) -> Vec<u8> {
    der(BIT_STRING, &[&[0], content])
}

/// Tag, length, content; no content here is longer than 65,535 bytes.
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let [high, low] = u16::try_from(content.len()).unwrap_or(u16::MAX).to_be_bytes();
    let mut out = vec![tag];
    match (high, low) {
        (0, low @ 0..128) => out.push(low),
        (0, low) => out.extend([0x81, low]),
        (high, low) => out.extend([0x82, high, low]),
    }
    out.extend(content);
    out
}
