//! Both of the crate's own transports. What is said of one must hold for the other.

use std::time::Duration;

use workos_auth::transport::HyperTransport;
use workos_auth::typestate::Credentials;
use workos_auth::{Client, ClientBuilder, Error};

use super::authority::Authority;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Adapter {
    Reqwest,
    Hyper,
}

pub(crate) const ADAPTERS: [Adapter; 2] = [Adapter::Reqwest, Adapter::Hyper];

impl Adapter {
    /// The name of a test of `with_each_adapter`.
    pub(crate) fn test(self, name: &str) -> String {
        format!("{name}::{}", format!("{self:?}").to_lowercase())
    }

    pub(crate) fn build<K: Credentials>(self, builder: ClientBuilder<K>) -> Result<Client<K>, Error> {
        match self {
            Self::Reqwest => builder.build(),
            Self::Hyper => builder.build_with(HyperTransport::new()?),
        }
    }

    /// A client that trusts this authority, and this one only.
    pub(crate) fn trusting<K: Credentials>(
        self,
        builder: ClientBuilder<K>,
        authority: &Authority,
    ) -> Result<Client<K>, Error> {
        let pem = authority.pem.as_bytes();
        match self {
            Self::Reqwest => {
                let trusted = reqwest::Certificate::from_pem(pem).unwrap();
                builder.http_client(|http| http.tls_certs_only([trusted])).build()
            }
            Self::Hyper => {
                let trusting = HyperTransport::builder().root_certificates_pem(pem).without_system_authorities();
                builder.build_with(trusting.build()?)
            }
        }
    }

    /// A client whose attempts to connect end after this time.
    pub(crate) fn connecting_within<K: Credentials>(
        self,
        builder: ClientBuilder<K>,
        timeout: Duration,
    ) -> Result<Client<K>, Error> {
        match self {
            Self::Reqwest => builder.connect_timeout(timeout).build(),
            Self::Hyper => builder.build_with(HyperTransport::builder().connect_timeout(timeout).build()?),
        }
    }
}

/// Makes two tests of each of these functions: `name::reqwest` and `name::hyper`.
macro_rules! with_each_adapter {
    ($($name:ident),+ $(,)?) => { $(
        mod $name {
            use crate::support::Outcome;
            use crate::support::adapter::Adapter;

            #[tokio::test]
            async fn reqwest() -> Outcome {
                super::$name(Adapter::Reqwest).await
            }

            #[tokio::test]
            async fn hyper() -> Outcome {
                super::$name(Adapter::Hyper).await
            }
        }
    )+ };
}
pub(crate) use with_each_adapter;
