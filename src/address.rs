//! Web addresses, and URIs of private schemes. The syntax is so narrow that no two programs read an address differently.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Characters that no URI has (RFC 3986 §2), and that programs drop, encode or take for others.
const NOT_IN_URIS: &[u8] = b"\"<>\\^`{|}";

/// An absolute URI without a fragment (RFC 3986 §4.3), in parts.
#[derive(Debug)]
pub(crate) struct Address<'a> {
    /// In lower case.
    pub(crate) scheme: String,
    /// Those of `http` and `https`. Other schemes have none.
    pub(crate) origin: Option<Origin>,
    path: &'a str,
    pub(crate) query: Option<&'a str>,
}

/// Where an `http` or `https` URL leads. Its text is what browsers write (RFC 6454 §6.2).
#[derive(Debug)]
pub(crate) struct Origin {
    https: bool,
    host: Host,
    port: Option<u16>,
}

#[derive(Debug)]
enum Host {
    /// In lower case.
    Name(String),
    V4(Ipv4Addr),
    V6(Ipv6Addr),
}

impl<'a> Address<'a> {
    /// Parses an address, or says what is wrong with it.
    pub(crate) fn parse(text: &'a str) -> Result<Self, &'static str> {
        check_characters(text)?;
        let (scheme, rest) = text.split_once(':').filter(|(scheme, _)| is_scheme(scheme)).ok_or("must be absolute")?;
        let scheme = scheme.to_ascii_lowercase();
        let (before_query, query) = rest.split_once('?').map_or((rest, None), |(before, query)| (before, Some(query)));
        let (authority, path) = match before_query.strip_prefix("//") {
            Some(rest) => {
                let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                (Some(authority), path)
            }
            None => (None, before_query),
        };
        if authority.is_some_and(|authority| authority.contains('@')) {
            return Err("must not carry a user name or password");
        }
        // A program that resolves these comes to another path.
        if path.split('/').any(is_dots) {
            return Err("must not have the segments `.` and `..`");
        }
        let origin = match (&*scheme, authority) {
            ("http" | "https", Some(authority)) if !authority.is_empty() => {
                let (host, port) = host_and_port(authority)?;
                Some(Origin { https: scheme == "https", host: Host::parse(host)?, port })
            }
            ("http" | "https", _) => return Err("must have `://` and a host after its scheme"),
            (_, Some(authority)) if !authority.is_empty() => {
                let (host, _) = host_and_port(authority)?;
                if v6(host).is_none() {
                    labels(host)?;
                }
                None
            }
            _ => None,
        };
        Ok(Self { scheme, origin, path, query })
    }

    /// The path. That of a private scheme may have no slash at its start.
    pub(crate) fn path(&self) -> &'a str {
        if self.path.is_empty() && self.origin.is_some() { "/" } else { self.path }
    }

    /// The path, and the query with its mark if there is one.
    pub(crate) fn path_and_query(&self) -> [&'a str; 3] {
        let [mark, query] = self.query.map_or(["", ""], |query| ["?", query]);
        [self.path(), mark, query]
    }
}

/// Whether a part of a URI has only characters of URIs, and no `#`, with which a fragment would begin.
pub(crate) fn check_characters(text: &str) -> Result<(), &'static str> {
    if !text.is_ascii() {
        return Err("must be ASCII: write the host as punycode (`xn--…`), and percent-encode the rest");
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic() && !NOT_IN_URIS.contains(&byte)) {
        return Err("must have no spaces, controls, backslashes and other characters that URIs percent-encode");
    }
    if text.contains('#') {
        return Err("must not have a fragment");
    }
    Ok(())
}

/// A scheme (RFC 3986 §3.1).
fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

fn is_dots(segment: &str) -> bool {
    matches!(&*segment.to_ascii_lowercase().replace("%2e", "."), "." | "..")
}

fn host_and_port(authority: &str) -> Result<(&str, Option<u16>), &'static str> {
    // Colons in brackets are those of an IPv6 address.
    let brackets = authority.find(']').unwrap_or_default();
    let Some(colon) = authority[brackets..].find(':') else { return Ok((authority, None)) };
    let (host, port) = authority.split_at(brackets + colon);
    let port = port[1..].bytes().all(|byte| byte.is_ascii_digit()).then(|| port[1..].parse().ok()).flatten();
    Ok((host, Some(port.ok_or("must have a port from 0 to 65535 after the `:` of its host")?)))
}

fn v6(host: &str) -> Option<Ipv6Addr> {
    // One that holds an IPv4 address is written in several ways.
    host.strip_prefix('[')?.strip_suffix(']')?.parse().ok().filter(|ip: &Ipv6Addr| ip.to_ipv4_mapped().is_none())
}

/// The last label of a host's name. Punycode isn't decoded: no browser opens a URL with a wrong one.
fn labels(host: &str) -> Result<&str, &'static str> {
    let name = host.strip_suffix('.').unwrap_or(host);
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    if !name.split('.').all(is_label) {
        return Err("must have a host of letters, digits, `-`, `_` and single dots, or an IP address");
    }
    Ok(name.rsplit('.').next().unwrap_or_default())
}

impl Host {
    fn parse(host: &str) -> Result<Self, &'static str> {
        if let Some(address) = v6(host) {
            return Ok(Self::V6(address));
        }
        let last = labels(host)?.to_ascii_lowercase();
        let is_number = last.bytes().all(|byte| byte.is_ascii_digit())
            || last.strip_prefix("0x").is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        if is_number {
            // Browsers take such a host for an IPv4 address, in any notation: `127.1`, `0x7f.1`, `2130706433`.
            return host.parse().map(Self::V4).map_err(|_| "must have an IPv4 address as four decimal numbers");
        }
        Ok(Self::Name(host.to_ascii_lowercase()))
    }
}

impl Origin {
    pub(crate) fn is_https(&self) -> bool {
        self.https
    }

    /// Whether it is this machine (RFC 8252 §7.3).
    pub(crate) fn is_loopback(&self) -> bool {
        match &self.host {
            Host::Name(name) => name == "localhost",
            Host::V4(address) => address.is_loopback(),
            Host::V6(address) => address.is_loopback(),
        }
    }

    /// Whether it is `127.0.0.1`, `[::1]` or `localhost`.
    pub(crate) fn is_local_host(&self) -> bool {
        self.is_loopback() && !matches!(self.host, Host::V4(address) if address != Ipv4Addr::LOCALHOST)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, default) = if self.https { ("https", 443) } else { ("http", 80) };
        match &self.host {
            Host::Name(name) => write!(formatter, "{scheme}://{name}")?,
            Host::V4(address) => write!(formatter, "{scheme}://{address}")?,
            Host::V6(address) => write!(formatter, "{scheme}://[{address}]")?,
        }
        match self.port.filter(|port| *port != default) {
            Some(port) => write!(formatter, ":{port}"),
            None => Ok(()),
        }
    }
}
