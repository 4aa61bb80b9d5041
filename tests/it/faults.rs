//! Faults on real sockets: what each gives, how often the request arrived, and whether the credential came back.

use std::time::{Duration, Instant, SystemTime};

use workos_auth::api::CreateUser;
use workos_auth::login::{DeviceLogin, NotFinished};
use workos_auth::secret::{EmailVerificationCode, MagicAuthCode, PendingAuthenticationToken, RadarCode};
use workos_auth::step::{EmailVerification, OrganizationSelection, RadarEmailChallenge, RadarSmsCode, TotpChallenge};
use workos_auth::testing::ManualClock;
use workos_auth::{
    Client, ClientBuilder, CodeExchange, Confidential, ConfidentialClient, EmailAddress, Error, ErrorCode, ErrorKind,
    ExposeSecret, Password, Public, PublicClient, RefreshToken, Rejected, Step, TotpCode,
};

use crate::support::Outcome;
use crate::support::adapter::{Adapter, with_each_adapter};
use crate::support::clients::{clock, confidential, public};
use crate::support::login::{authorization_code, callback, next_step, redirect, rejection};
use crate::support::raw::{Answer, RawServer, SIGNED_IN, free_address};

/// Short enough to see a stalled server fail, long enough for a busy machine to answer on loopback.
const TIMEOUT: Duration = Duration::from_secs(2);

/// For requests that are repeated many times.
const BRIEF: Duration = Duration::from_millis(200);

fn builder(base_url: impl Into<String>) -> ClientBuilder<Public> {
    public(base_url).timeout(TIMEOUT)
}

fn exchange(client: &PublicClient) -> CodeExchange<Public> {
    let session = client.authorize(redirect()).authkit().begin().unwrap();
    let callback = callback(session.url());
    session.exchange(callback).unwrap()
}

fn kind_name(error: &Error) -> &'static str {
    match error.kind() {
        ErrorKind::NotSent => "not sent",
        ErrorKind::Timeout => "timeout",
        ErrorKind::Interrupted => "interrupted",
        ErrorKind::TooLarge => "too large",
        ErrorKind::NotJson => "not JSON",
        ErrorKind::UnexpectedShape => "unexpected shape",
        ErrorKind::UnexpectedStatus => "unexpected status",
        ErrorKind::Api(_) => "API",
        _ => "other",
    }
}

/// Where the server is in one row of the table.
enum Server {
    Absent,
    Answers(Vec<Answer>),
}

struct Row {
    fault: &'static str,
    server: Server,
    kind: &'static str,
    /// For an authorization code: how many requests arrived, and whether the exchange came back.
    code: (usize, bool),
    /// The same for a password, a one-time code and an organization selection: the step is alive when its answer was lost.
    answer: (usize, bool),
    /// The same for a poll of a device login, which is never repeated by itself.
    poll: (usize, bool),
    /// The same for a refresh token, and whether `replay_before` was set; until then it is sent again and again.
    refresh: (usize, bool, bool),
}

/// The protocol's table "What may be sent again": a code is repeated only when nothing was sent or a complete 429 came.
#[allow(clippy::too_many_lines, reason = "it is one table")]
fn table() -> Vec<Row> {
    let row = |fault, reply: Answer, kind, code, answer, poll, refresh| Row {
        fault,
        server: Server::Answers(vec![reply]),
        kind,
        code,
        answer,
        poll,
        refresh,
    };
    let error = r#"{"message":"try later"}"#;
    vec![
        Row {
            fault: "connection refused",
            server: Server::Absent,
            kind: "not sent",
            code: (0, true),
            answer: (0, true),
            poll: (0, true),
            refresh: (0, true, false),
        },
        row("closed before the reply", Answer::Close, "interrupted", (1, false), (1, true), (1, true), (4, true, true)),
        row(
            "closed within the reply",
            Answer::truncated(SIGNED_IN),
            "interrupted",
            (1, false),
            (1, true),
            (1, true),
            (4, true, true),
        ),
        row(
            "reset before the reply",
            Answer::Reset(Vec::new()),
            "interrupted",
            (1, false),
            (1, true),
            (1, true),
            (4, true, true),
        ),
        row(
            "reset within the reply",
            Answer::Reset(b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"user\":".to_vec()),
            "interrupted",
            (1, false),
            (1, true),
            (1, true),
            (4, true, true),
        ),
        row("stalled", Answer::Stall, "timeout", (1, false), (1, true), (1, true), (4, true, true)),
        row("429", Answer::json(429, error), "API", (4, true), (4, true), (1, true), (4, true, false)),
        row(
            "429 with Retry-After",
            Answer::with_headers(429, "retry-after: 2\r\n", error),
            "API",
            (4, true),
            (4, true),
            (1, true),
            (4, true, false),
        ),
        row("408", Answer::json(408, error), "API", (1, false), (1, true), (1, true), (4, true, true)),
        row("500", Answer::json(500, error), "API", (1, false), (1, true), (1, true), (4, true, true)),
        row("503", Answer::json(503, error), "API", (1, false), (1, true), (1, true), (4, true, true)),
        row("520", Answer::json(520, error), "API", (1, false), (1, true), (1, true), (4, true, true)),
        row("525", Answer::json(525, error), "API", (1, false), (1, true), (1, true), (4, true, true)),
        row("529", Answer::json(529, error), "API", (1, false), (1, true), (1, true), (4, true, true)),
        row("530", Answer::json(530, error), "API", (1, false), (1, true), (1, true), (4, true, true)),
        row("598", Answer::json(598, error), "API", (1, false), (1, true), (1, true), (4, true, true)),
        row("599", Answer::json(599, error), "API", (1, false), (1, true), (1, true), (4, true, true)),
        row("501", Answer::json(501, error), "API", (1, false), (1, true), (1, true), (1, true, false)),
        row(
            "502 with HTML",
            Answer::with_headers(502, "content-type: text/html\r\n", "<html>Bad Gateway</html>"),
            "not JSON",
            (1, false),
            (1, true),
            (1, true),
            (4, true, true),
        ),
        row(
            "200 with HTML",
            Answer::with_headers(200, "content-type: text/html\r\n", "<html>Welcome to the hotel</html>"),
            "not JSON",
            (1, false),
            (1, false),
            (1, false),
            (1, true, true),
        ),
        row(
            "truncated JSON",
            Answer::json(200, &SIGNED_IN[..80]),
            "not JSON",
            (1, false),
            (1, false),
            (1, false),
            (1, true, true),
        ),
        row(
            "JSON of another shape",
            Answer::json(200, "[1,2]"),
            "unexpected shape",
            (1, false),
            (1, false),
            (1, false),
            (1, true, true),
        ),
        row("empty body", Answer::json(200, ""), "not JSON", (1, false), (1, false), (1, false), (1, true, true)),
        row("5 MB announced", Answer::large(true), "too large", (1, false), (1, false), (1, false), (1, true, true)),
        row("5 MB in chunks", Answer::large(false), "too large", (1, false), (1, false), (1, false), (1, true, true)),
        row(
            "redirect",
            Answer::with_headers(307, "location: http://127.0.0.1:1/\r\n", ""),
            "unexpected status",
            (1, false),
            (1, false),
            (1, false),
            (1, true, false),
        ),
        row(
            "401",
            Answer::json(401, r#"{"message":"Unauthorized"}"#),
            "API",
            (1, false),
            (1, false),
            (1, false),
            (1, true, false),
        ),
        row(
            "404 without a code",
            Answer::json(404, r#"{"message":"Organization not found"}"#),
            "API",
            (1, true),
            (1, true),
            (1, false),
            (1, true, false),
        ),
        row(
            "422",
            Answer::json(422, r#"{"code":"invalid_request_parameters","message":"no"}"#),
            "API",
            (1, true),
            (1, true),
            (1, false),
            (1, true, false),
        ),
        row(
            "an invitation that is over",
            Answer::json(400, r#"{"error":"invitation_invalid","error_description":"no"}"#),
            "API",
            (1, true),
            (1, true),
            (1, false),
            (1, true, false),
        ),
        row(
            "invalid_grant",
            Answer::json(400, r#"{"error":"invalid_grant","error_description":"no"}"#),
            "API",
            (1, false),
            (1, false),
            (1, false),
            (1, false, false),
        ),
    ]
}

/// One request with a credential, and what the caller has afterwards: the error, and whether the flow value came back.
struct Sent {
    error: Error,
    returned: bool,
}

impl Sent {
    fn of<F>(rejected: Rejected<F>) -> Self {
        let (error, flow) = rejected.into_parts();
        Self { error, returned: flow.is_some() }
    }
}

/// Every grant that is answered once: its name, and how it is sent.
async fn answers(client: &ConfidentialClient) -> Vec<(&'static str, Sent)> {
    let email = || "ada@example.com".parse::<EmailAddress>().unwrap();
    let pending = || PendingAuthenticationToken::new("pending");
    let password = client.authenticate_with_password(email(), Password::new("password"));
    let magic_auth = client.authenticate_with_magic_auth(MagicAuthCode::new("123456"), email());
    let totp = TotpChallenge::from_parts(client, pending(), "auth_challenge_1".parse().unwrap());
    let verification = EmailVerification::from_parts(client, pending());
    let selection = OrganizationSelection::from_parts(client, pending());
    let radar_email = RadarEmailChallenge::from_parts(client, pending(), "radar_challenge_1".parse().unwrap());
    let radar_sms = RadarSmsCode::from_sign_in(client, pending());
    vec![
        ("password", Sent::of(rejection(password.send().await))),
        ("Magic Auth", Sent::of(rejection(magic_auth.send().await))),
        ("TOTP", Sent::of(rejection(totp.verify(TotpCode::new("123456")).send().await))),
        ("email code", Sent::of(rejection(verification.verify(EmailVerificationCode::new("123456")).send().await))),
        ("organization", Sent::of(rejection(selection.select_unlisted("org_1".parse().unwrap()).send().await))),
        ("Radar email", Sent::of(rejection(radar_email.verify(RadarCode::new("123456")).send().await))),
        ("Radar SMS", Sent::of(rejection(radar_sms.verify(RadarCode::new("123456")).send().await))),
    ]
}

const ANSWERS: usize = 7;

/// A server for one cell of the table, and a client for it.
async fn cell(adapter: Adapter, server: &Server) -> Outcome<(Option<RawServer>, ConfidentialClient)> {
    cell_with(adapter, server, &clock(), TIMEOUT).await
}

async fn cell_with(
    adapter: Adapter,
    server: &Server,
    clock: &ManualClock,
    timeout: Duration,
) -> Outcome<(Option<RawServer>, ConfidentialClient)> {
    let running = match server {
        Server::Absent => None,
        Server::Answers(answers) => Some(RawServer::start(answers.clone()).await?),
    };
    let base_url = match &running {
        Some(server) => server.base_url(),
        None => format!("http://{}", free_address().await?),
    };
    let client = confidential(base_url);
    Ok((running, adapter.build(client.timeout(timeout).clock(clock.clone()))?))
}

/// A device login whose server is well at first, so that there is something to poll for.
async fn device_login(adapter: Adapter, server: &Server) -> Outcome<(Option<RawServer>, DeviceLogin<Confidential>)> {
    const BEGUN: &str = r#"{"device_code":"device-code","user_code":"ABCD","expires_in":300,
        "verification_uri":"https://example.com/device"}"#;
    let mut answers = vec![Answer::json(200, BEGUN)];
    if let Server::Answers(faults) = server {
        answers.extend_from_slice(faults);
    }
    let (running, client) = cell(adapter, &Server::Answers(answers)).await?;
    let login = client.device_authorization().send().await?;
    Ok(match server {
        Server::Answers(_) => (running, login),
        Server::Absent => {
            drop(running);
            // The port is free once the server's task has ended.
            tokio::time::sleep(Duration::from_millis(50)).await;
            (None, login)
        }
    })
}

async fn every_fault_has_its_own_error_and_its_own_row_in_the_retry_table(adapter: Adapter) -> Outcome {
    for Row { fault, server, kind, code, answer, poll, refresh } in table() {
        let arrived = |server: &Option<RawServer>| server.as_ref().map_or(0, |server| server.requests().len());

        let (running, client) = cell(adapter, &server).await?;
        let sent = Sent::of(rejection(client.authenticate_with_code(authorization_code("the-code")).send().await));
        assert_eq!(kind_name(&sent.error), kind, "{fault}: {:?}", sent.error);
        assert_eq!((arrived(&running), sent.returned), code, "a code, {fault}");
        assert_eq!(sent.error.replay_before(), None, "a code is never replayed: {fault}");

        let (running, client) = cell(adapter, &server).await?;
        let sent = Sent::of(client.exchange_sso_code(authorization_code("the-code")).send().await.unwrap_err());
        assert_eq!(kind_name(&sent.error), kind, "{fault}: {:?}", sent.error);
        assert_eq!((arrived(&running), sent.returned), code, "an SSO code, {fault}");

        // A change over the API is repeated as a code is, and a read as a refresh is.
        let (running, client) = cell(adapter, &server).await?;
        let error = client.users().create(&CreateUser::new("ada@example.com".parse()?)).send().await.unwrap_err();
        assert_eq!(kind_name(&error), kind, "{fault}: {error:?}");
        assert_eq!(arrived(&running), code.0, "a change, {fault}");

        let (running, client) = cell(adapter, &server).await?;
        let error = client.users().get(&"user_1".parse()?).send().await.unwrap_err();
        assert_eq!(kind_name(&error), kind, "{fault}: {error:?}");
        assert_eq!((arrived(&running), error.replay_before()), (refresh.0, None), "a read, {fault}");

        let (running, client) = cell(adapter, &server).await?;
        let sent = answers(&client).await;
        assert_eq!(sent.len(), ANSWERS);
        assert_eq!(arrived(&running), answer.0 * ANSWERS, "the answers together, {fault}");
        for (grant, sent) in sent {
            assert_eq!(kind_name(&sent.error), kind, "{grant}, {fault}: {:?}", sent.error);
            assert_eq!(sent.returned, answer.1, "{grant}, {fault}");
        }

        let (running, login) = device_login(adapter, &server).await?;
        let Err(NotFinished::NotSignedIn(failed)) = login.poll().await else { panic!("a fault was expected") };
        let sent = Sent::of(rejection(Err(failed)));
        assert_eq!(kind_name(&sent.error), kind, "{fault}: {:?}", sent.error);
        assert_eq!((arrived(&running).saturating_sub(1), sent.returned), poll, "a device login, {fault}");

        let waiting = clock();
        let start = waiting.now();
        let (running, client) = cell_with(adapter, &server, &waiting, BRIEF).await?;
        let grant = client.authenticate_with_refresh_token(RefreshToken::new("the-token"));
        let (error, flow) = rejection(grant.send().await).into_parts();
        assert_eq!(kind_name(&error), kind, "{fault}: {error:?}");
        let until = error.replay_before();
        let outcome = (arrived(&running), flow.is_some(), until.is_some());
        match until {
            // The outcome is ambiguous each time, and the last attempt may be the one that was done.
            Some(until) if refresh.0 > 1 => {
                assert!(outcome.0 > 4 && outcome.1, "a refresh token, {fault}: {outcome:?}");
                let window = Duration::from_secs(25);
                assert_eq!(waiting.now(), start + window, "a refresh token, {fault}");
                assert_eq!(waiting.now() + window, SystemTime::from(until), "a refresh token, {fault}");
            }
            _ => assert_eq!(outcome, refresh, "a refresh token, {fault}"),
        }
        if let Some(grant) = flow {
            assert_eq!(grant.into_token().expose_secret(), "the-token", "{fault}");
        }
    }
    Ok(())
}

async fn waits_double_with_jitter_and_retry_after_wins(adapter: Adapter) -> Outcome {
    let throttled = Answer::json(429, "{}");
    let advised = Answer::with_headers(429, "retry-after: 3\r\n", "{}");
    let server = RawServer::start([throttled.clone(), advised, throttled, Answer::json(200, SIGNED_IN)]).await?;
    let clock = clock();
    let client = adapter.build(builder(server.base_url()).clock(clock.clone()))?;
    let response = exchange(&client).send().await?;
    assert_eq!(response.access_token.expose_secret(), "access-token-of-the-reply");
    let waits = clock.waits();
    assert_eq!(waits.len(), 3);
    assert!(waits[0] <= Duration::from_millis(250), "{waits:?}");
    assert_eq!(waits[1], Duration::from_secs(3));
    assert!(waits[2] <= Duration::from_secs(1), "{waits:?}");
    Ok(())
}

async fn a_server_names_no_time_that_a_clock_overflows_of(adapter: Adapter) -> Outcome {
    for endless in ["18446744073709551615", "18446744073709551616", "99999999999999999999999999", "1.8e19"] {
        let integer = endless.bytes().all(|byte| byte.is_ascii_digit());
        for status in [429, 503] {
            let later = Answer::with_headers(status, &format!("retry-after: {endless}\r\n"), "{}");
            let (server, clock) = (RawServer::start([later]).await?, clock());
            clock.advance(Duration::from_secs(3_600));
            let client = adapter.build(confidential(server.base_url()).clock(clock))?;
            for error in [
                rejection(client.authenticate_with_code(authorization_code("the-code")).send().await).into(),
                rejection(client.authenticate_with_refresh_token(RefreshToken::new("the-token")).send().await).into(),
                client.users().get(&"user_1".parse()?).send().await.unwrap_err(),
            ] {
                let advised = error.retry_after().filter(|pause| *pause > Duration::from_secs(1_000_000_000));
                assert_eq!(advised.is_some(), integer, "{endless}: {error:?}");
                // As an application would.
                let _ = Instant::now() + advised.unwrap_or_default();
            }
        }

        let login = format!(
            r#"{{"access_token":"access","expires_in":{endless},"profile":{{"id":"prof_1","organization_id":null,
                "connection_id":"conn_1","connection_type":"NewSAML","idp_id":"00u1","email":"ada@example.com",
                "first_name":null,"last_name":null,"raw_attributes":{{}}}}}}"#
        );
        let server = RawServer::start([Answer::json(200, &login)]).await?;
        let client = adapter.build(confidential(server.base_url()))?;
        let login = client.exchange_sso_code(authorization_code("the-code")).send().await?;
        let _ = Instant::now() + login.expires_in.ok_or("no lifetime")?;
    }
    Ok(())
}

async fn the_application_says_how_often_a_request_is_sent_again(adapter: Adapter) -> Outcome {
    let broken = Answer::json(503, "{}");
    for (retries, sent) in [(0, 1), (1, 2), (5, 6)] {
        let client = async || -> Outcome<_> {
            let server = RawServer::start(vec![broken.clone()]).await?;
            let client = confidential(server.base_url());
            Ok((adapter.build(client.clock(clock()).retries(retries))?, server))
        };
        let (reading, server) = client().await?;
        reading.users().get(&"user_1".parse()?).send().await.unwrap_err();
        assert_eq!(server.requests().len(), sent, "a read, {retries}");
        let (refreshing, server) = client().await?;
        let token = RefreshToken::new("the-token");
        let rejected = rejection(refreshing.authenticate_with_refresh_token(token).send().await);
        assert!(rejected.recover().is_ok());
        // Its outcome is unknown: it is repeated until its window closes, or not at all.
        assert_eq!(server.requests().len() == 1, retries == 0, "a refresh, {retries}");
        // What must not arrive twice doesn't, whatever the application wants.
        let (exchanging, server) = client().await?;
        rejection(exchanging.authenticate_with_code(authorization_code("the-code")).send().await);
        assert_eq!(server.requests().len(), 1, "a code, {retries}");
    }
    Ok(())
}

async fn a_long_retry_after_is_capped_for_a_code_and_ends_a_refresh_at_its_budget(adapter: Adapter) -> Outcome {
    let hour = Answer::with_headers(429, "retry-after: 3600\r\n", "{}");

    let server = RawServer::start([hour.clone()]).await?;
    let waiting = clock();
    let client = adapter.build(builder(server.base_url()).clock(waiting.clone()))?;
    let error = Error::from(rejection(exchange(&client).send().await));
    assert_eq!(waiting.waits(), [Duration::from_secs(60); 3]);
    assert_eq!(error.retry_after(), Some(Duration::from_secs(3600)));

    // No wait goes past 25 s after the first send: the replay window would be over.
    let server = RawServer::start([hour]).await?;
    let waiting = clock();
    let client = adapter.build(builder(server.base_url()).clock(waiting.clone()))?;
    let grant = client.authenticate_with_refresh_token(RefreshToken::new("the-token"));
    let error = Error::from(rejection(grant.send().await));
    assert_eq!(waiting.waits(), Vec::<Duration>::new());
    assert_eq!(server.requests().len(), 1);
    assert_eq!(error.retry_after(), Some(Duration::from_secs(3600)));
    Ok(())
}

async fn an_ambiguous_refresh_says_until_when_it_may_be_replayed(adapter: Adapter) -> Outcome {
    // Ambiguous at first, turned away later: what counts is that the token may have been rotated.
    let server = RawServer::start([Answer::Close, Answer::json(429, "{}")]).await?;
    let clock = clock();
    let client = adapter.build(builder(server.base_url()).clock(clock.clone()))?;
    let start = clock.now();
    let grant = client.authenticate_with_refresh_token(RefreshToken::new("the-token"));
    let (error, grant) = rejection(grant.send().await).into_parts();
    assert_eq!(error.replay_before().map(SystemTime::from), Some(start + Duration::from_secs(25)));
    assert!(error.is_transient());
    assert!(grant.is_some());
    Ok(())
}

async fn a_lost_refresh_reply_is_repaired_by_the_same_token(adapter: Adapter) -> Outcome {
    let server = RawServer::start([Answer::Close, Answer::json(200, SIGNED_IN)]).await?;
    let client = adapter.build(builder(server.base_url()).clock(clock()))?;
    let grant = client.authenticate_with_refresh_token(RefreshToken::new("the-token"));
    let response = grant.send().await?;
    assert_eq!(response.refresh_token.expose_secret(), "refresh-token-of-the-reply");
    let bodies: Vec<String> =
        server.requests().iter().map(|request| request.split_once("\r\n\r\n").unwrap().1.to_owned()).collect();
    assert_eq!(bodies.len(), 2);
    assert_eq!(bodies[0], bodies[1]);
    Ok(())
}

async fn a_refused_connection_returns_the_exchange_and_the_second_try_succeeds(adapter: Adapter) -> Outcome {
    let address = free_address().await?;
    let client = adapter.build(builder(format!("http://{address}")).clock(clock()))?;
    let rejected = rejection(exchange(&client).send().await);
    assert!(matches!(rejected.error().kind(), ErrorKind::NotSent));
    let server = RawServer::start_on(address, [Answer::json(200, SIGNED_IN)]).await?;
    let response = rejected.recover()?.send().await?;
    assert_eq!(response.user.email, "ada@example.com");
    assert_eq!(server.requests().len(), 1);
    assert!(server.requests()[0].contains(r#""code":"the-code","code_verifier":""#));
    Ok(())
}

/// A redirect to another origin is an error for this client.
async fn redirected(build: impl FnOnce(ClientBuilder<Confidential>) -> Result<ConfidentialClient, Error>) -> Outcome {
    let thief = RawServer::start([Answer::json(200, SIGNED_IN)]).await?;
    let headers = format!("location: {}/user_management/authenticate\r\n", thief.base_url());
    let server = RawServer::start([Answer::with_headers(307, &headers, "")]).await?;
    let client = build(confidential(server.base_url()).timeout(TIMEOUT))?;
    let grant = client.authenticate_with_refresh_token(RefreshToken::new("the-token"));
    let (error, grant) = rejection(grant.send().await).into_parts();
    assert!(matches!(error.kind(), ErrorKind::UnexpectedStatus), "{error:?}");
    assert_eq!(error.status().map(|status| status.as_u16()), Some(307));
    assert!(grant.is_some());
    assert_eq!(server.requests().len(), 1);
    assert_eq!(thief.requests(), Vec::<String>::new());
    Ok(())
}

async fn a_redirect_to_another_origin_is_not_followed_and_the_secret_goes_nowhere(adapter: Adapter) -> Outcome {
    redirected(|builder| adapter.build(builder)).await
}

#[tokio::test]
async fn a_caller_who_asks_for_redirects_and_a_referer_does_not_get_them() -> Outcome {
    let asking = reqwest::Client::builder().redirect(reqwest::redirect::Policy::limited(10)).referer(true);
    redirected(|builder| builder.http_client(|_| asking).build()).await
}

async fn a_stalled_server_is_given_up_within_the_timeout(adapter: Adapter) -> Outcome {
    let server = RawServer::start([Answer::Stall]).await?;
    let client = adapter.build(builder(server.base_url()).timeout(Duration::from_millis(300)))?;
    let started = Instant::now();
    let error = Error::from(rejection(exchange(&client).send().await));
    assert!(matches!(error.kind(), ErrorKind::Timeout));
    assert!(started.elapsed() >= Duration::from_millis(300));
    // The server would stall for a minute.
    assert!(started.elapsed() < Duration::from_secs(30));
    Ok(())
}

async fn an_invalid_grant_is_final(adapter: Adapter) -> Outcome {
    let refusal = Answer::with_headers(
        400,
        "x-request-id: req_42\r\n",
        r#"{"error":"invalid_grant","error_description":"The code 'the-code' has expired."}"#,
    );
    let server = RawServer::start([refusal]).await?;
    let client = adapter.build(builder(server.base_url()).clock(clock()))?;
    let rejected = rejection(exchange(&client).send().await);
    let error = rejected.recover().unwrap_err();
    assert_eq!(error.code(), Some(&ErrorCode::InvalidGrant));
    assert_eq!(error.request_id(), Some("req_42"));
    assert!(!error.is_transient());
    assert_eq!(error.to_string(), "the API refused the request: invalid_grant (HTTP 400, request req_42)");
    assert!(!format!("{error:?}").contains("the-code"));
    Ok(())
}

#[tokio::test]
async fn a_foreign_transport_that_reads_too_much_is_refused() -> Outcome {
    let client = Client::builder().client_id("client_123").build_with(|_request| async {
        Ok(http::Response::new(bytes::Bytes::from(vec![b' '; workos_auth::transport::RESPONSE_LIMIT + 1])))
    })?;
    let error = Error::from(rejection(exchange(&client).send().await));
    assert!(matches!(error.kind(), ErrorKind::TooLarge));
    Ok(())
}

async fn an_outcome_is_either_complete_or_says_its_step(adapter: Adapter) -> Outcome {
    let step = Answer::json(
        403,
        r#"{"code":"organization_selection_required","message":"Choose.","pending_authentication_token":"pending",
            "organizations":[{"id":"org_1","name":"One"},{"id":"org_2","name":"Two"}]}"#,
    );
    let server = RawServer::start([step]).await?;
    let client = adapter.build(builder(server.base_url()))?;
    match next_step(exchange(&client).send().await) {
        Step::OrganizationSelection(step) => assert_eq!(step.organizations()[1].name, "Two"),
        other => panic!("not a step: {other:?}"),
    }
    Ok(())
}

with_each_adapter![
    every_fault_has_its_own_error_and_its_own_row_in_the_retry_table,
    waits_double_with_jitter_and_retry_after_wins,
    a_server_names_no_time_that_a_clock_overflows_of,
    the_application_says_how_often_a_request_is_sent_again,
    a_long_retry_after_is_capped_for_a_code_and_ends_a_refresh_at_its_budget,
    an_ambiguous_refresh_says_until_when_it_may_be_replayed,
    a_lost_refresh_reply_is_repaired_by_the_same_token,
    a_refused_connection_returns_the_exchange_and_the_second_try_succeeds,
    a_redirect_to_another_origin_is_not_followed_and_the_secret_goes_nowhere,
    a_stalled_server_is_given_up_within_the_timeout,
    an_invalid_grant_is_final,
    an_outcome_is_either_complete_or_says_its_step,
];
