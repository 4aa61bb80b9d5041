//! A certificate authority of the test's own.

#![allow(dead_code, reason = "each program uses a part of it")]

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, date_time_ymd};

/// When a certificate counts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Period {
    Now,
    Past,
    Future,
}

/// A certificate and its key, in PEM.
pub(crate) struct Certificate {
    pub(crate) chain: String,
    pub(crate) key: String,
}

pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) pem: String,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Result<Self, rcgen::Error> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate()?;
        let pem = params.self_signed(&key)?.pem();
        Ok(Self { issuer: Issuer::new(params, key), pem })
    }

    pub(crate) fn certify(&self, name: &str, period: Period) -> Result<Certificate, rcgen::Error> {
        let key = KeyPair::generate()?;
        let chain = params(name, period)?.signed_by(&key, &self.issuer)?.pem();
        Ok(Certificate { chain, key: key.serialize_pem() })
    }
}

/// A certificate that nobody but its own key vouches for.
pub(crate) fn self_signed(name: &str) -> Result<Certificate, rcgen::Error> {
    let key = KeyPair::generate()?;
    let chain = params(name, Period::Now)?.self_signed(&key)?.pem();
    Ok(Certificate { chain, key: key.serialize_pem() })
}

fn params(name: &str, period: Period) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new([name.to_owned()])?;
    params.distinguished_name.push(DnType::CommonName, name);
    let (before, after) = match period {
        Period::Now => (1975, 4096),
        Period::Past => (1975, 2001),
        Period::Future => (4000, 4096),
    };
    params.not_before = date_time_ymd(before, 1, 1);
    params.not_after = date_time_ymd(after, 1, 1);
    Ok(params)
}
