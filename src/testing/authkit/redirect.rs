//! Addresses that the browser is sent to. They are checked and completed as strings.

use crate::address::Address;

/// Whether this is an `http` URI on 127.0.0.1, `[::1]` or localhost. The string itself is checked, because the URL
/// parser accepts `http:\\127.1`, which a browser may read differently.
pub(super) fn is_loopback(uri: &str) -> bool {
    let Some(rest) = uri.strip_prefix("http://") else { return false };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let port = ["127.0.0.1", "[::1]", "localhost"].iter().find_map(|host| authority.strip_prefix(host));
    let is_port = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok();
    port.is_some_and(|port| port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
        && uri.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#' && byte != b'\\')
}

/// The redirect URI with a `code` or an `error`, and the state of the login. `None` when the URI isn't a URL.
pub(super) fn callback_url(redirect_uri: &str, result: (&str, &str), state: Option<&str>) -> Option<String> {
    Address::parse(redirect_uri).ok()?;
    // The URI stays as it was given: writing a parsed URL would add a slash to `http://127.0.0.1:8080`.
    let separator = if redirect_uri.contains('?') { '&' } else { '?' };
    let state = state.map(|state| ("state", state));
    let mut query = form_urlencoded::Serializer::new(String::new());
    let query = query.append_pair(result.0, result.1).extend_pairs(state).finish();
    Some(format!("{redirect_uri}{separator}{query}"))
}
