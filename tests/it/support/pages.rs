//! What a browser keeps of the responses of an application.

use std::collections::BTreeMap;

use reqwest::header::{HeaderMap, LOCATION, SET_COOKIE};

pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Page {
    pub(crate) fn location(&self) -> &str {
        self.headers.get(LOCATION).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    pub(crate) fn set_cookies(&self) -> Vec<&str> {
        self.headers.get_all(SET_COOKIE).iter().map(|value| value.to_str().unwrap()).collect()
    }

    /// What every page that depends on a cookie says to caches, once each.
    pub(crate) fn is_private(&self) -> bool {
        let all = |name: &str| self.headers.get_all(name).iter().collect::<Vec<_>>();
        all("cache-control") == ["no-store"] && all("vary") == ["Cookie"]
    }
}

/// The cookies of a browser of its own user.
#[derive(Clone, Default)]
pub(crate) struct Jar(pub(crate) BTreeMap<String, String>);

impl Jar {
    pub(crate) fn take(&mut self, page: &Page) {
        for cookie in page.set_cookies() {
            let (pair, attributes) = cookie.split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            for attribute in ["HttpOnly", "SameSite=Lax", "Path=/"] {
                assert!(attributes.contains(attribute), "{name} lacks {attribute}");
            }
            if attributes.contains("Max-Age=0") {
                self.0.remove(name);
            } else {
                self.0.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    /// The value of a `Cookie` header.
    pub(crate) fn line(&self) -> Vec<u8> {
        let pairs: Vec<_> = self.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("; ").into_bytes()
    }

    /// The only cookie.
    pub(crate) fn only(&self) -> (&str, &str) {
        assert_eq!(self.0.len(), 1);
        self.0.first_key_value().map(|(name, value)| (name.as_str(), value.as_str())).unwrap()
    }
}
