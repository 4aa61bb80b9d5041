//! What the environment changes and what it must not: each case is a child process with variables of its own.

#[path = "it/support/authority.rs"]
mod authority;
#[path = "it/support/proxy.rs"]
mod proxy;
#[path = "it/support/raw.rs"]
mod raw;

use std::error::Error as StdError;
use std::process::{Command, ExitCode};
use std::sync::{Arc, Mutex};

use authority::{Authority, Period};
use proxy::Proxying;
use raw::{Answer, RawServer, SIGNED_IN, free_address};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use workos_auth::transport::HyperTransport;
use workos_auth::{
    ApiKeyClient, Callback, Client, ConfidentialClient, CookiePassword, Error, ErrorKind, ExposeSecret, PublicClient,
    RedirectUri, RefreshToken,
};

type Outcome = Result<(), Box<dyn StdError>>;

struct Case {
    name: &'static str,
    variables: &'static [(&'static str, &'static str)],
    run: fn() -> Outcome,
}

/// A port of loopback that nobody listens on: a request through this proxy fails.
const DEAD_PROXY: &str = "http://127.0.0.1:9";

/// In a value it stands for an address of loopback at which the case may listen.
const FREE: &str = "{free}";

const CASES: &[Case] = &[
    Case {
        name: "a_public_client_carries_no_key_even_if_the_environment_has_one",
        variables: &[("WORKOS_CLIENT_ID", "client_env"), ("WORKOS_API_KEY", "sk_canary")],
        run: public_client_carries_no_key,
    },
    Case {
        name: "loopback_traffic_goes_past_the_proxy",
        variables: &[
            ("HTTP_PROXY", DEAD_PROXY),
            ("http_proxy", DEAD_PROXY),
            ("HTTPS_PROXY", DEAD_PROXY),
            ("ALL_PROXY", DEAD_PROXY),
        ],
        run: loopback_traffic_goes_past_the_proxy,
    },
    Case {
        name: "proxy_variables_count_only_where_the_environment_is_asked_for",
        variables: &[("WORKOS_CLIENT_ID", "client_env"), ("HTTPS_PROXY", FREE), ("ALL_PROXY", DEAD_PROXY)],
        run: proxy_variables_count_only_where_they_are_asked_for,
    },
    Case {
        name: "the_proxy_may_be_for_everything_and_in_lower_case",
        variables: &[("WORKOS_CLIENT_ID", "client_env"), ("HTTPS_PROXY", ""), ("all_proxy", "http://{free}/")],
        run: || {
            for client in FROM_ENV {
                let seen = runtime()?.block_on(asked_of_proxy(client))?;
                assert_eq!(seen.as_deref(), Some("CONNECT api.workos.com:443 HTTP/1.1"));
            }
            Ok(())
        },
    },
    Case {
        name: "hosts_of_no_proxy_are_reached_without_the_proxy",
        variables: &[
            ("WORKOS_CLIENT_ID", "client_env"),
            ("WORKOS_BASE_URL", "https://unknown.invalid"),
            ("HTTPS_PROXY", FREE),
            ("NO_PROXY", "example.com, .invalid"),
        ],
        run: || {
            for client in FROM_ENV {
                assert_eq!(runtime()?.block_on(asked_of_proxy(client))?, None);
            }
            Ok(())
        },
    },
    Case {
        name: "a_wrong_proxy_is_named_and_not_echoed",
        variables: &[("WORKOS_CLIENT_ID", "client_env"), ("ALL_PROXY", "socks5://user:canary@127.0.0.1:1080")],
        run: || {
            for client in FROM_ENV {
                assert_invalid(client().map(drop), "ALL_PROXY");
            }
            // Where no proxy is used, a wrong one does no harm.
            let loopback = Client::builder().client_id_from_env().base_url("http://127.0.0.1:9").proxy_from_env();
            assert!(loopback.build().is_ok());
            Ok(())
        },
    },
    Case {
        name: "a_proxy_without_an_address_is_named",
        variables: &[("WORKOS_CLIENT_ID", "client_env"), ("HTTPS_PROXY", "http://user:canary@:8080")],
        run: || {
            for client in FROM_ENV {
                assert_invalid(client().map(drop), "HTTPS_PROXY");
            }
            Ok(())
        },
    },
    Case {
        name: "a_proxy_that_refuses_gets_nothing_of_a_request",
        variables: &[("WORKOS_CLIENT_ID", "client_env"), ("HTTPS_PROXY", "http://user:canary@{free}")],
        run: proxy_that_refuses,
    },
    Case {
        name: "a_request_goes_through_a_proxy_unread",
        variables: &[("HTTPS_PROXY", "http://user:canary@{free}")],
        run: || through_proxy(None),
    },
    Case {
        name: "a_request_goes_unread_through_a_proxy_that_speaks_tls",
        // The authority has certified this name.
        variables: &[("HTTPS_PROXY", "https://user:canary@{free}")],
        run: || through_proxy(Some("127.0.0.1")),
    },
    Case {
        name: "https_on_loopback_goes_past_the_proxy",
        variables: &[("HTTPS_PROXY", DEAD_PROXY)],
        run: https_past_the_proxy,
    },
    #[cfg(target_os = "linux")]
    Case {
        name: "without_certificate_authorities_the_error_says_what_to_install_or_set",
        variables: &[("SSL_CERT_FILE", "/dev/null")],
        run: no_authorities,
    },
    #[cfg(target_os = "linux")]
    Case {
        name: "a_file_of_certificate_authorities_that_is_not_there_counts_as_none",
        variables: &[("SSL_CERT_FILE", "/nonexistent/ca.pem")],
        run: no_authorities,
    },
    Case {
        name: "from_env_reads_the_variables_of_its_kind",
        variables: &[
            ("WORKOS_CLIENT_ID", "client_env"),
            ("WORKOS_API_KEY", "sk_env"),
            ("WORKOS_BASE_URL", "https://auth.example.com/"),
        ],
        run: || {
            let public = PublicClient::from_env()?;
            assert_eq!(public.client_id().as_str(), "client_env");
            assert_eq!(public.base_url(), "https://auth.example.com");
            let confidential = ConfidentialClient::from_env()?;
            assert_eq!(confidential.client_id().as_str(), "client_env");
            assert_eq!(confidential.base_url(), "https://auth.example.com");
            assert_eq!(ApiKeyClient::from_env()?.base_url(), "https://auth.example.com");
            Ok(())
        },
    },
    Case {
        name: "what_is_given_wins_over_the_environment",
        variables: &[("WORKOS_CLIENT_ID", "client_env"), ("WORKOS_BASE_URL", "https://auth.example.com")],
        run: || {
            let client = Client::builder().client_id("client_given").build()?;
            assert_eq!(client.client_id().as_str(), "client_given");
            // Nobody asked for the environment.
            assert_eq!(client.base_url(), "https://api.workos.com");
            // For one call, for the client, from the environment: in that order.
            let from_env = PublicClient::from_env()?;
            assert_eq!(from_env.client_id().as_str(), "client_env");
            assert_eq!(from_env.with_client_id("client_call".parse()?).client_id().as_str(), "client_call");
            Ok(())
        },
    },
    Case {
        name: "an_empty_variable_counts_as_unset",
        variables: &[("WORKOS_CLIENT_ID", ""), ("WORKOS_API_KEY", ""), ("WORKOS_BASE_URL", "")],
        run: || {
            assert_missing(PublicClient::from_env().map(drop), "WORKOS_CLIENT_ID");
            assert_missing(ConfidentialClient::from_env().map(drop), "WORKOS_CLIENT_ID");
            assert_missing(ApiKeyClient::from_env().map(drop), "WORKOS_API_KEY");
            let client = Client::builder().client_id("client_given").base_url_from_env().build()?;
            assert_eq!(client.base_url(), "https://api.workos.com");
            Ok(())
        },
    },
    Case {
        name: "a_missing_variable_is_named",
        variables: &[("WORKOS_CLIENT_ID", "client_env")],
        run: || {
            assert!(PublicClient::from_env().is_ok());
            assert_missing(ConfidentialClient::from_env().map(drop), "WORKOS_API_KEY");
            assert_missing(Client::builder().client_id("c").api_key_from_env().build().map(drop), "WORKOS_API_KEY");
            assert_missing(Client::builder().api_key_from_env().client_id("c").build().map(drop), "WORKOS_API_KEY");
            Ok(())
        },
    },
    Case {
        name: "a_wrong_variable_names_its_field_and_is_not_echoed",
        variables: &[
            ("WORKOS_CLIENT_ID", " "),
            ("WORKOS_API_KEY", "sk_canary\n"),
            ("WORKOS_BASE_URL", "http://canary.example.com"),
        ],
        run: || {
            assert_invalid(PublicClient::from_env().map(drop), "client_id");
            assert_invalid(ApiKeyClient::from_env().map(drop), "api_key");
            let client = Client::builder().client_id("client_given").base_url_from_env();
            assert_invalid(client.build().map(drop), "base_url");
            Ok(())
        },
    },
    Case {
        name: "the_cookie_password_is_read_as_it_is",
        variables: &[("WORKOS_COOKIE_PASSWORD", " a password of 32 characters and spaces ")],
        run: || {
            assert_eq!(CookiePassword::from_env()?.expose_secret(), " a password of 32 characters and spaces ");
            Ok(())
        },
    },
    Case {
        name: "a_missing_cookie_password_says_what_the_variable_must_hold",
        variables: &[("WORKOS_COOKIE_PASSWORD", "")],
        run: || {
            assert_missing(CookiePassword::from_env().map(drop), "WORKOS_COOKIE_PASSWORD");
            let text = CookiePassword::from_env().map(drop).unwrap_err().to_string();
            assert!(text.contains("WORKOS_COOKIE_PASSWORD") && text.contains("32 characters"), "{text}");
            Ok(())
        },
    },
    Case {
        name: "a_short_cookie_password_names_its_variable_and_is_not_echoed",
        variables: &[("WORKOS_COOKIE_PASSWORD", "canary_of_only_thirty-one_chars")],
        run: || {
            assert_invalid(CookiePassword::from_env().map(drop), "WORKOS_COOKIE_PASSWORD");
            let text = CookiePassword::from_env().map(drop).unwrap_err().to_string();
            assert_eq!(text, "WORKOS_COOKIE_PASSWORD must have at least 32 characters");
            Ok(())
        },
    },
];

fn assert_missing(result: Result<(), Error>, variable: &str) {
    let error = result.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::MissingVariable { name, .. } if *name == variable), "{error:?}");
}

fn assert_invalid(result: Result<(), Error>, expected: &str) {
    let error = result.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::InvalidValue { field, .. } if *field == expected), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
}

/// A login and a refresh by a public client; returns the requests as they arrived.
async fn public_login() -> Result<Vec<String>, Box<dyn StdError>> {
    let server = RawServer::start([Answer::json(200, SIGNED_IN)]).await?;
    let mut builder = Client::builder().client_id("client_given");
    if std::env::var_os("WORKOS_CLIENT_ID").is_some() {
        builder = Client::builder().client_id_from_env();
    }
    let client = builder.base_url(server.base_url()).build()?;
    let session = client.authorize(RedirectUri::new("http://127.0.0.1:8080/callback")?).authkit().begin()?;
    let state = url::Url::parse(session.url().as_str())?
        .query_pairs()
        .find(|(name, _)| name == "state")
        .ok_or("no state")?
        .1
        .into_owned();
    let callback = Callback::from_url(&format!("/callback?code=the-code&state={state}"))?;
    let response = session.exchange(callback)?.send().await?;
    drop(client.authenticate_with_refresh_token(response.refresh_token).send().await?);
    drop(client.authenticate_with_refresh_token(RefreshToken::new("another")).send().await?);
    Ok(server.requests())
}

fn public_client_carries_no_key() -> Outcome {
    let requests = runtime()?.block_on(public_login())?;
    assert_eq!(requests.len(), 3);
    for request in requests {
        assert!(request.contains(r#""client_id":"client_env""#), "{request}");
        let lower = request.to_ascii_lowercase();
        for forbidden in ["authorization:", "client_secret", "sk_canary"] {
            assert!(!lower.contains(forbidden), "{forbidden} in {request}");
        }
    }
    Ok(())
}

fn loopback_traffic_goes_past_the_proxy() -> Outcome {
    let runtime = runtime()?;
    runtime.block_on(async {
        // The proxy is in force for clients that don't guard against it.
        let server = RawServer::start([Answer::json(200, SIGNED_IN)]).await?;
        let unguarded = reqwest::Client::builder().build()?.get(server.base_url()).send().await;
        assert!(unguarded.is_err_and(|error| error.is_connect()), "the proxy variable has no effect here");
        assert_eq!(server.requests().len(), 0);

        assert_eq!(public_login().await?.len(), 3);
        Ok(())
    })
}

/// The first line that a client sends to the proxy at the address in the environment.
async fn asked_of_proxy(client: impl Fn() -> Result<PublicClient, Error>) -> Result<Option<String>, Box<dyn StdError>> {
    let address = ["HTTPS_PROXY", "all_proxy"].iter().filter_map(|name| std::env::var(name).ok()).collect::<String>();
    let proxy = TcpListener::bind(address.trim_start_matches("http://").trim_end_matches('/')).await?;
    let client = client()?;
    let request = client.authenticate_with_refresh_token(RefreshToken::new("token")).send();
    let listen = async {
        let (stream, _) = proxy.accept().await?;
        BufReader::new(stream).lines().next_line().await
    };
    tokio::select! {
        line = listen => Ok(line?),
        outcome = request => outcome.err().map(|_| None).ok_or_else(|| "somebody was signed in".into()),
    }
}

fn proxy_variables_count_only_where_they_are_asked_for() -> Outcome {
    let runtime = runtime()?;
    let unknown = || Client::builder().client_id("client_given").base_url("https://unknown.invalid");
    let through = Some("CONNECT unknown.invalid:443 HTTP/1.1".to_owned());
    runtime.block_on(async {
        assert_eq!(asked_of_proxy(|| unknown().build()).await?, None);
        assert_eq!(asked_of_proxy(|| unknown().http_client(reqwest::ClientBuilder::http1_only).build()).await?, None);
        assert_eq!(asked_of_proxy(|| unknown().proxy_from_env().build()).await?, through);
        // The order of the settings doesn't count, and a given proxy wins.
        assert_eq!(asked_of_proxy(|| unknown().proxy_from_env().http_client(|http| http).build()).await?, through);
        let dead = || reqwest::Proxy::all(DEAD_PROXY).expect("an address");
        let given = || unknown().http_client(|http| http.proxy(dead())).proxy_from_env().build();
        assert_eq!(asked_of_proxy(given).await?, None);
        // The environment is asked for here too.
        let through = Some("CONNECT api.workos.com:443 HTTP/1.1".to_owned());
        assert_eq!(asked_of_proxy(PublicClient::from_env).await?, through);
        Ok(())
    })
}

/// A client of the environment, over each of the crate's transports.
const FROM_ENV: [fn() -> Result<PublicClient, Error>; 2] = [PublicClient::from_env, || {
    let transport = HyperTransport::builder().proxy_from_env().build()?;
    Client::builder().client_id_from_env().base_url_from_env().build_with(transport)
}];

/// The address of the proxy that is in the environment.
fn proxy_address() -> Result<String, Box<dyn StdError>> {
    let address = std::env::var("HTTPS_PROXY")?;
    Ok(address.rsplit_once('@').ok_or("no user")?.1.to_owned())
}

/// Of each transport a client that trusts this authority only, and uses the proxy.
fn trusting(authority: &Authority, base_url: &str) -> Result<[PublicClient; 2], Box<dyn StdError>> {
    let builder = || Client::builder().client_id("client_given").base_url(base_url);
    let pem = authority.pem.as_bytes();
    let trusted = reqwest::Certificate::from_pem(pem)?;
    let hyper = HyperTransport::builder().root_certificates_pem(pem).without_system_authorities().proxy_from_env();
    Ok([
        builder().proxy_from_env().http_client(|http| http.tls_certs_only([trusted])).build()?,
        builder().build_with(hyper.build()?)?,
    ])
}

fn proxy_that_refuses() -> Outcome {
    runtime()?.block_on(async {
        for refusal in [
            "HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n",
            "no HTTP\r\n\r\n",
        ] {
            for client in FROM_ENV {
                let seen = Arc::new(Mutex::new(Vec::new()));
                let listener = TcpListener::bind(proxy_address()?).await?;
                let proxy = proxy::proxy(listener, None, Proxying::Refuses(refusal), Arc::clone(&seen));
                let proxy = tokio::spawn(proxy);
                let request = client()?.authenticate_with_refresh_token(RefreshToken::new("secret-token"));
                let error = Error::from(request.send().await.err().ok_or("somebody was signed in")?);
                assert!(matches!(error.kind(), ErrorKind::NotSent), "{error:?}");
                let sources = std::iter::successors(error.source(), |&error| error.source());
                let text: Vec<String> = sources.map(|error| format!("{error} {error:?}")).collect();
                assert!(!format!("{error} {error:?} {text:?}").contains("canary"), "{text:?}");
                proxy.abort();
                let _ = proxy.await;
                let seen = String::from_utf8(seen.lock().unwrap().clone())?.to_lowercase();
                let (one, rest) = seen.split_once("\r\n\r\n").ok_or("nothing was asked")?;
                assert!(one.starts_with("connect api.workos.com:443 http/1.1\r\n"), "{one}");
                // `user:canary` in Base64.
                assert!(one.contains("proxy-authorization: basic dxnlcjpjyw5hcnk="), "{one}");
                // Each attempt asked the same.
                assert_eq!(rest, format!("{one}\r\n\r\n").repeat(3));
                for forbidden in ["\r\nauthorization", "secret-token", "user_management", "client_env"] {
                    assert!(!seen.contains(forbidden), "{forbidden} in {seen}");
                }
            }
        }
        Ok(())
    })
}

/// The proxy speaks TLS if a name is given for it.
fn through_proxy(name: Option<&str>) -> Outcome {
    runtime()?.block_on(async {
        let authority = Authority::new("the authority")?;
        let api = TcpListener::bind("127.0.0.1:0").await?;
        let to = Proxying::To(api.local_addr()?.to_string());
        let tls = proxy::acceptor(&authority.certify("api.invalid", Period::Now)?)?;
        tokio::spawn(proxy::api(api, tls));
        let tls = match name {
            Some(name) => Some(proxy::acceptor(&authority.certify(name, Period::Now)?)?),
            None => None,
        };
        let seen = Arc::new(Mutex::new(Vec::new()));
        let listener = TcpListener::bind(proxy_address()?).await?;
        tokio::spawn(proxy::proxy(listener, tls, to, Arc::clone(&seen)));
        for client in trusting(&authority, "https://api.invalid")? {
            let response = client.authenticate_with_refresh_token(RefreshToken::new("secret-token")).send().await?;
            assert_eq!(response.user.email, "ada@example.com");
        }
        let seen = String::from_utf8(seen.lock().unwrap().clone())?;
        let asked: Vec<&str> = seen.split("\r\n\r\n").collect();
        assert_eq!(asked.len(), 3, "{seen}");
        assert!(asked[..2].iter().all(|asked| asked.starts_with("CONNECT api.invalid:443 HTTP/1.1\r\n")), "{seen}");
        Ok(())
    })
}

fn https_past_the_proxy() -> Outcome {
    runtime()?.block_on(async {
        let authority = Authority::new("the authority")?;
        for host in ["localhost", "127.0.0.1"] {
            let api = TcpListener::bind("127.0.0.1:0").await?;
            let base_url = format!("https://{host}:{}", api.local_addr()?.port());
            tokio::spawn(proxy::api(api, proxy::acceptor(&authority.certify(host, Period::Now)?)?));
            for client in trusting(&authority, &base_url)? {
                let response = client.authenticate_with_refresh_token(RefreshToken::new("token")).send().await?;
                assert_eq!(response.user.email, "ada@example.com");
            }
        }
        Ok(())
    })
}

#[cfg(target_os = "linux")]
fn no_authorities() -> Outcome {
    let hyper = HyperTransport::new().err().ok_or("built")?;
    for error in [PublicClient::new("client_given").err().ok_or("built")?, hyper] {
        assert!(matches!(error.kind(), ErrorKind::NoAuthorities), "{error:?}");
        assert!(!error.is_transient());
        for advice in ["ca-certificates", "SSL_CERT_FILE"] {
            assert!(error.to_string().contains(advice), "{error}");
        }
    }
    Ok(())
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, name] = arguments.as_slice()
        && flag == "--child"
    {
        let case = CASES.iter().find(|case| case.name == name).expect("the parent names a case");
        return match (case.run)() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error:?}");
                ExitCode::FAILURE
            }
        };
    }
    let executable = std::env::current_exe().expect("the path of this test");
    let mut failed = 0;
    println!("\nrunning {} tests", CASES.len());
    for case in CASES {
        let mut child = Command::new(&executable);
        child.args(["--child", case.name]);
        for (name, _) in std::env::vars_os() {
            let upper = name.to_string_lossy().to_ascii_uppercase();
            if upper.starts_with("WORKOS_") || upper.ends_with("_PROXY") || upper.starts_with("SSL_CERT_") {
                child.env_remove(name);
            }
        }
        let free = runtime().and_then(|runtime| runtime.block_on(free_address())).expect("a free address").to_string();
        let passed = child
            .envs(case.variables.iter().map(|(name, value)| (name, value.replace(FREE, &free))))
            .status()
            .is_ok_and(|status| status.success());
        println!("test {} ... {}", case.name, if passed { "ok" } else { "FAILED" });
        failed += usize::from(!passed);
    }
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    println!("\ntest result: {verdict}. {} passed; {failed} failed; 0 ignored\n", CASES.len() - failed);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
