//! The metadata of a protected resource (RFC 9728), from which a client learns who issues tokens for it.

use http::Response;
use http::header::{CONTENT_TYPE, HeaderValue};
use serde::Serialize;

use super::scopes::Scopes;
use crate::address::Address;
use crate::error::Error;
use crate::id::{Issuer, ResourceUri};

/// Where the metadata is (RFC 9728 §3.1): path and query of the resource come after the well-known path.
#[derive(Clone)]
pub(super) struct Location {
    pub(super) path: String,
    pub(super) url: String,
}

impl Location {
    pub(super) fn of(resource: &ResourceUri) -> Result<Self, Error> {
        let refuse = |reason| Error::invalid_value("resource", reason);
        let address = Address::parse(resource.as_str()).map_err(refuse)?;
        let origin = address.origin.as_ref().ok_or_else(|| refuse("must be https"))?;
        let [path, mark, query] = address.path_and_query();
        // A slash right after the host is left out.
        let path = format!("/.well-known/oauth-protected-resource{}", if path == "/" { "" } else { path });
        let url = format!("{origin}{path}{mark}{query}");
        Ok(Self { path, url })
    }
}

/// RFC 9728 §2.
#[derive(Serialize)]
struct Document<'a> {
    resource: &'a str,
    authorization_servers: [&'a str; 1],
    bearer_methods_supported: [&'static str; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    scopes_supported: Option<Vec<&'a str>>,
}

pub(super) fn response(resource: &ResourceUri, issuer: &Issuer, scopes: Option<&Scopes>) -> Response<String> {
    let document = Document {
        resource: resource.as_str(),
        authorization_servers: [issuer.as_str()],
        bearer_methods_supported: ["header"],
        scopes_supported: scopes.map(|scopes| scopes.iter().collect()),
    };
    // Texts and lists of texts can always be written.
    let mut response = Response::new(serde_json::to_string(&document).unwrap_or_default());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_metadata_is_where_rfc_9728_says() {
        for (resource, url) in [
            ("https://example.com", "https://example.com/.well-known/oauth-protected-resource"),
            ("https://example.com/", "https://example.com/.well-known/oauth-protected-resource"),
            ("https://example.com/mcp", "https://example.com/.well-known/oauth-protected-resource/mcp"),
            ("https://example.com/mcp/", "https://example.com/.well-known/oauth-protected-resource/mcp/"),
            ("https://example.com/mcp?k=v", "https://example.com/.well-known/oauth-protected-resource/mcp?k=v"),
            ("https://example.com?k=v", "https://example.com/.well-known/oauth-protected-resource?k=v"),
            ("http://127.0.0.1:8000/mcp", "http://127.0.0.1:8000/.well-known/oauth-protected-resource/mcp"),
            ("https://EXAMPLE.com:443/Mcp", "https://example.com/.well-known/oauth-protected-resource/Mcp"),
        ] {
            let location = Location::of(&ResourceUri::new(resource).unwrap()).unwrap();
            assert_eq!(location.url, url);
            let path = location.url.split("/.well-known").nth(1).unwrap().split('?').next().unwrap();
            assert_eq!(location.path, format!("/.well-known{path}"));
        }
    }
}
