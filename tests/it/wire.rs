//! What goes over the wire, byte for byte. The snapshots were compared with the protocol by eye.

use std::collections::HashSet;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::json;
use sha2::{Digest, Sha256};
use url::Url;
use workos_auth::id::{LogoutUrl, PhoneNumber};
use workos_auth::login::{RadarContext, RequestContext, ScreenHint};
use workos_auth::secret::{
    ApiKey, AuthorizationUrl, EmailVerificationCode, InvitationToken, MagicAuthCode, PendingAuthenticationToken,
    RadarCode,
};
use workos_auth::session::{SessionParts, SignedOutReason};
use workos_auth::step::{
    EmailVerification, MfaChallenge, MfaEnrollment, OrganizationSelection, RadarEmailChallenge, RadarSmsCode,
    RadarSmsSignUp, TotpChallenge,
};
use workos_auth::transport::TransportError;
use workos_auth::typestate::NoCredentials;
use workos_auth::{
    Callback, Client, ClientBuilder, ClientId, CodeExchange, Confidential, ConfidentialClient, EmailAddress, Error,
    ErrorKind, ExposeSecret, Password, Provider, Public, PublicClient, RedirectUri, RefreshToken, TotpCode,
};

use crate::support::Outcome;
use crate::support::adapter::{Adapter, with_each_adapter};
use crate::support::capture::{Recorder, SIGNED_IN, assert_bytes};
use crate::support::clients::{self, NOWHERE};
use crate::support::login::{authorization_code, callback, parameter};
use crate::support::session;
use crate::support::signer::Signer;

fn builder(base_url: impl Into<String>) -> ClientBuilder<NoCredentials> {
    Client::builder().base_url(base_url).random_seed(1)
}

fn public(adapter: Adapter, base_url: impl Into<String>) -> Result<PublicClient, Error> {
    adapter.build(builder(base_url).client_id("client_123"))
}

fn confidential(adapter: Adapter, base_url: impl Into<String>) -> Result<ConfidentialClient, Error> {
    adapter.build(builder(base_url).client_id("client_123").api_key("sk_example"))
}

fn redirect() -> RedirectUri {
    RedirectUri::new("https://example.com/callback").unwrap()
}

fn pkce_exchange(client: &PublicClient) -> Result<CodeExchange<Public>, Error> {
    let session = client.authorize(redirect()).authkit().begin()?;
    let callback = callback(session.url());
    Ok(session.exchange(callback)?)
}

fn context() -> RequestContext {
    RequestContext::new().ip_address([203, 0, 113, 7]).user_agent("Mozilla/5.0 \"quoted\" é").device_id("device-1")
}

fn full<K>(exchange: CodeExchange<K>) -> CodeExchange<K> {
    exchange.invitation_token(InvitationToken::new("invitation")).context(context()).signals_id("signals-1")
}

async fn code_exchange(adapter: Adapter) -> Outcome {
    let recorder = Recorder::start().await;

    let client = public(adapter, recorder.base_url())?;
    drop(pkce_exchange(&client)?.send().await?);
    assert_bytes("code_exchange_public.http", recorder.take());
    drop(full(pkce_exchange(&public(adapter, recorder.base_url())?)?).send().await?);
    assert_bytes("code_exchange_public_full.http", recorder.take());

    let confidential_exchange = || -> Result<CodeExchange<Confidential>, Error> {
        let session = confidential(adapter, recorder.base_url())?.authorize(redirect()).authkit().begin()?;
        let callback = callback(session.url());
        Ok(session.exchange(callback)?)
    };
    drop(confidential_exchange()?.send().await?);
    assert_bytes("code_exchange_confidential.http", recorder.take());
    drop(full(confidential_exchange()?).send().await?);
    assert_bytes("code_exchange_confidential_full.http", recorder.take());

    let session = confidential(adapter, recorder.base_url())?.authorize(redirect()).authkit().begin_without_pkce()?;
    let callback = callback(session.url());
    drop(session.exchange(callback)?.send().await?);
    assert_bytes("code_exchange_without_pkce.http", recorder.take());

    let client = confidential(adapter, recorder.base_url())?;
    drop(client.authenticate_with_code(authorization_code("the-code")).send().await?);
    assert_bytes("code_exchange_bare.http", recorder.take());
    drop(client.accept_impersonation(Callback::from_query("code=the-code")?)?.send().await?);
    assert_bytes("code_exchange_impersonation.http", recorder.take());
    Ok(())
}

async fn refresh(adapter: Adapter) -> Outcome {
    let recorder = Recorder::start().await;
    let public = public(adapter, recorder.base_url())?;
    let confidential = confidential(adapter, recorder.base_url())?;
    let token = || RefreshToken::new("the-refresh-token");

    drop(public.authenticate_with_refresh_token(token()).send().await?);
    assert_bytes("refresh_public.http", recorder.take());
    drop(confidential.authenticate_with_refresh_token(token()).send().await?);
    assert_bytes("refresh_confidential.http", recorder.take());
    drop(public.authenticate_with_refresh_token(token()).organization("org_1".parse()?).send().await?);
    assert_bytes("refresh_with_organization.http", recorder.take());
    drop(public.authenticate_with_refresh_token(token()).context(context()).send().await?);
    assert_bytes("refresh_with_context.http", recorder.take());
    let grant = confidential.authenticate_with_refresh_token(token()).organization("org_1".parse()?);
    drop(grant.context(context()).send().await?);
    assert_bytes("refresh_full.http", recorder.take());
    Ok(())
}

async fn grants_of_confidential_clients(adapter: Adapter) -> Outcome {
    let recorder = Recorder::start().await;
    let client = confidential(adapter, recorder.base_url())?;
    let email = || EmailAddress::new("ada@example.com").unwrap();
    let radar = || RadarContext::new().auth_attempt_id("attempt-1").signals_id("signals-1");

    let grant = || client.authenticate_with_password(email(), Password::new("pass\"word"));
    drop(grant().send().await?);
    assert_bytes("password.http", recorder.take());
    let full = grant().invitation_token(InvitationToken::new("invitation")).context(context()).radar(radar());
    drop(full.send().await?);
    assert_bytes("password_full.http", recorder.take());

    let grant = || client.authenticate_with_magic_auth(MagicAuthCode::new("123456"), email());
    drop(grant().send().await?);
    assert_bytes("magic_auth.http", recorder.take());
    let full = grant()
        .invitation_token(InvitationToken::new("invitation"))
        .link_authorization_code(authorization_code("link"))
        .context(context())
        .radar(radar());
    drop(full.send().await?);
    assert_bytes("magic_auth_full.http", recorder.take());
    Ok(())
}

async fn grants_that_answer_a_step(adapter: Adapter) -> Outcome {
    let recorder = Recorder::start().await;
    let client = &confidential(adapter, recorder.base_url())?;
    let pending = || PendingAuthenticationToken::new("pending");

    macro_rules! pin {
        ($name:literal, $answer:expr) => {
            drop($answer.send().await?);
            assert_bytes(concat!($name, ".http"), recorder.take());
            drop($answer.context(context()).send().await?);
            assert_bytes(concat!($name, "_full.http"), recorder.take());
        };
    }
    let totp = || TotpChallenge::from_parts(client, pending(), "auth_challenge_1".parse().unwrap());
    pin!("totp", totp().verify(TotpCode::new("123456")));
    let code = || EmailVerificationCode::new("123456");
    pin!("email_verification", EmailVerification::from_parts(client, pending()).verify(code()));
    let selection = || OrganizationSelection::from_parts(client, pending());
    pin!("organization_selection", selection().select_unlisted("org_1".parse()?));
    let radar = || RadarEmailChallenge::from_parts(client, pending(), "radar_challenge_1".parse().unwrap());
    pin!("radar_email", radar().verify(RadarCode::new("123456")));
    let sign_in = || RadarSmsCode::from_sign_in(client, pending());
    pin!("radar_sms_sign_in", sign_in().verify(RadarCode::new("123456")));
    let number = || PhoneNumber::new("+15005550006").unwrap();
    let sign_up = || RadarSmsCode::from_parts(client, pending(), "verification_1".parse().unwrap(), number());
    pin!("radar_sms_sign_up", sign_up().verify(RadarCode::new("123456")));
    Ok(())
}

async fn calls_between_the_steps(adapter: Adapter) -> Outcome {
    let challenge = r#"{"id":"auth_challenge_1"}"#;
    let recorder = Recorder::replying(challenge).await;
    let client = confidential(adapter, recorder.base_url())?;
    let pending = || PendingAuthenticationToken::new("pending");
    let factor = "auth_factor_1".parse()?;
    let _ = MfaChallenge::from_parts(&client, pending(), []).challenge(&factor).send().await?;
    assert_bytes("challenge_factor.http", recorder.take());

    let enrolled = format!(
        r#"{{"authentication_factor":{{"id":"auth_factor_1","totp":{{"qr_code":"q","secret":"s","uri":"u"}}}},
        "authentication_challenge":{challenge}}}"#
    );
    let recorder = Recorder::replying(&enrolled).await;
    let client = confidential(adapter, recorder.base_url())?;
    let step = MfaEnrollment::from_parts(&client, pending(), "user_1".parse()?);
    let _ = step.enroll_totp("Example", "ada@example.com").send().await?;
    assert_bytes("enroll_factor.http", recorder.take());

    let recorder = Recorder::replying(r#"{"verification_id":"verification_1","phone_number":"+15005550006"}"#).await;
    let client = confidential(adapter, recorder.base_url())?;
    let request = || -> Result<_, Error> {
        let step = RadarSmsSignUp::from_parts(&client, pending(), "user_1".parse()?);
        Ok(step.send_sms(PhoneNumber::new("+15005550006")?))
    };
    let _ = request()?.send().await?;
    assert_bytes("send_radar_sms.http", recorder.take());
    let _ = request()?.ip_address([203, 0, 113, 7]).user_agent("Mozilla/5.0 \"quoted\" é").send().await?;
    assert_bytes("send_radar_sms_full.http", recorder.take());
    Ok(())
}

async fn device_login(adapter: Adapter) -> Outcome {
    const AUTHORIZATION: &str = r#"{"device_code":"device-code","user_code":"ABCD-EFGH",
        "verification_uri":"https://example.com/device","expires_in":300,"interval":5}"#;
    let recorder = Recorder::replying(AUTHORIZATION).await;
    let _ = public(adapter, recorder.base_url())?.device_authorization().send().await?;
    assert_bytes("device_authorization.http", recorder.take());
    let _ = confidential(adapter, recorder.base_url())?.device_authorization().send().await?;
    assert_bytes("device_authorization_confidential.http", recorder.take());

    // The code is had from one server and polled at another: a transport in between chooses by the path.
    let devices = Recorder::replying(AUTHORIZATION).await;
    let tokens = Recorder::start().await;
    let http = reqwest::Client::builder().no_proxy().build()?;
    let (device_url, token_url) = (devices.base_url(), tokens.base_url());
    let transport = move |request: http::Request<bytes::Bytes>| {
        let (http, path) = (http.clone(), request.uri().path().to_owned());
        let base_url = if path.ends_with("/device") { device_url.clone() } else { token_url.clone() };
        async move {
            let mut forwarded = http.post(format!("{base_url}{path}")).body(request.body().clone());
            for (name, value) in request.headers() {
                forwarded = forwarded.header(name, value);
            }
            let reply = forwarded.send().await.map_err(TransportError::interrupted)?;
            Ok(http::Response::new(reply.bytes().await.map_err(TransportError::interrupted)?))
        }
    };
    let client = Client::builder().client_id("client_123").build_with(transport.clone())?;
    drop(client.device_authorization().send().await?.wait().await?);
    assert_bytes("device_code.http", tokens.take());
    drop(client.device_authorization().context(context()).send().await?.wait().await?);
    assert_bytes("device_code_full.http", tokens.take());
    let client = Client::builder().client_id("client_123").api_key("sk_example").build_with(transport)?;
    drop(client.device_authorization().send().await?.wait().await?);
    assert_bytes("device_code_confidential.http", tokens.take());
    Ok(())
}

async fn sessions(adapter: Adapter) -> Outcome {
    let signer = Signer::new("key_1");
    let keys = Recorder::replying(&json!({ "keys": [signer.jwk()] }).to_string()).await;
    let claims = json!({
        "iss": keys.base_url(), "sub": "user_01", "sid": "session_1", "jti": "token_1", "client_id": "client_123",
        "iat": 1, "exp": 4_102_444_800_u64,
    });
    let verifier = confidential(adapter, keys.base_url())?.verifier();
    let token = verifier.verify(&signer.sign(&claims)).await?;
    assert_bytes("jwks.http", keys.take());

    let recorder = Recorder::start().await;
    let (public, confidential) = (public(adapter, recorder.base_url())?, confidential(adapter, recorder.base_url())?);
    let parts = async || -> Result<SessionParts, Error> {
        let grant = public.authenticate_with_refresh_token(RefreshToken::new("the-refresh-token"));
        let mut parts = SessionParts::from(grant.send().await?);
        parts.access_token = signer.sign(&claims);
        recorder.take();
        Ok(parts)
    };
    let session = public.session(parts().await?).check(&verifier).await?;
    let session = session::refreshed(session.refresh()).await;
    assert_bytes("session_refresh_public.http", recorder.take());
    let refreshed = confidential.session(session.into_unverified_parts()).refresh().await?;
    assert_bytes("session_refresh_confidential.http", recorder.take());
    drop(refreshed);

    // A client of its own, which has no result of an earlier request at hand.
    let fresh = adapter.build(builder(recorder.base_url()).client_id("client_123"))?;
    let session = fresh.session(parts().await?).check(&verifier).await?;
    let mut switched = claims.clone();
    switched["org_id"] = json!("org_1");
    let switched = signer.sign(&switched);
    recorder.reply(SIGNED_IN.replacen('{', r#"{"organization_id":"org_1","#, 1).replacen(
        "access-token",
        switched.expose_secret(),
        1,
    ));
    let session = session::refreshed(session.switch_organization("org_1".parse()?)).await;
    assert_bytes("session_switch_organization.http", recorder.take());

    let return_to = RedirectUri::new("https://example.com/bye?from=here")?;
    let logout = |url: LogoutUrl| url.as_str().replace(&recorder.base_url(), "http://127.0.0.1:PORT").into_bytes();
    assert_bytes("logout.url", logout(fresh.logout_url(&token, None)));
    let session = session.check(&verifier).await?;
    assert_bytes("logout_return_to.url", logout(session.sign_out(Some(&return_to)).url));

    let session = confidential.session(parts().await?).check(&verifier).await?;
    assert_eq!(session.revoke().send().await?.reason(), SignedOutReason::ByTheUser);
    assert_bytes("session_revoke.http", recorder.take());
    Ok(())
}

#[tokio::test]
async fn what_is_given_for_one_call_goes_out() -> Outcome {
    let recorder = Recorder::start().await;
    let client = builder(recorder.base_url()).api_key("sk_old").app_name("my-app/1.2 (tests)").build()?;
    let client = client.with_client_id(ClientId::new("client_call")?).with_api_key(ApiKey::new("sk_new")?);
    drop(client.authenticate_with_refresh_token(RefreshToken::new("the-refresh-token")).send().await?);
    assert_bytes("refresh_with_client_id_key_and_app_name.http", recorder.take());
    Ok(())
}

#[test]
fn authorization_urls() -> Outcome {
    let pin = |name: &str, url: &AuthorizationUrl| assert_bytes(name, url.as_str().as_bytes().to_vec());
    let start = || public(Adapter::Reqwest, NOWHERE).map(|client| client.authorize(redirect()));

    pin("authorize_authkit.url", start()?.authkit().begin()?.url());
    let full = start()?
        .authkit()
        .screen_hint(ScreenHint::SignUp)
        .max_age(Duration::ZERO)
        .in_organization("org_1".parse()?)
        .login_hint("ada+test@example.com")
        .domain_hint("example.com")
        .prompt("login")
        .claim_nonce("nonce-1")
        .invitation_token(InvitationToken::new("invitation"));
    pin("authorize_authkit_full.url", full.begin()?.url());
    pin("authorize_oauth.url", start()?.oauth(Provider::Google).begin()?.url());
    let full = start()?
        .oauth(Provider::from("NewOAuth"))
        .provider_scopes(["openid", "https://example.com/scope?a=b&c=%20"])
        .provider_query_param("hd", "exämple.com & more + #1")
        .provider_query_param("access_type", "offline");
    pin("authorize_oauth_full.url", full.begin()?.url());
    let session = start()?.oauth(Provider::Google).in_organization("org_1".parse()?).begin()?;
    pin("authorize_oauth_in_organization.url", session.url());
    pin("authorize_connection.url", start()?.connection("conn_1".parse()?).begin()?.url());
    pin("authorize_organization.url", start()?.organization("org_1".parse()?).begin()?.url());
    let plain = confidential(Adapter::Reqwest, NOWHERE)?.authorize(redirect()).authkit().begin_without_pkce()?;
    pin("authorize_without_pkce.url", plain.url());

    // Sent exactly as given: a URL library would add a slash to the first.
    for (name, uri) in [
        ("authorize_redirect_without_path.url", "http://127.0.0.1:8080"),
        ("authorize_redirect_private_scheme.url", "com.example.app:/callback"),
    ] {
        let session = public(Adapter::Reqwest, NOWHERE)?.authorize(RedirectUri::new(uri)?).authkit().begin()?;
        assert_eq!(parameter(session.url(), "redirect_uri"), uri);
        pin(name, session.url());
    }
    Ok(())
}

#[tokio::test]
async fn the_challenge_in_the_url_is_the_hash_of_the_verifier_sent() -> Outcome {
    let recorder = Recorder::start().await;
    let client = clients::public(recorder.base_url()).build()?;
    let mut drawn = HashSet::new();
    for _ in 0..2 {
        let session = client.authorize(redirect()).authkit().begin()?;
        let (challenge, state) = (parameter(session.url(), "code_challenge"), parameter(session.url(), "state"));
        let callback = callback(session.url());
        drop(session.exchange(callback)?.send().await?);
        let request = String::from_utf8(recorder.take())?;
        let body: serde_json::Value = serde_json::from_str(request.split_once("\n\n").ok_or("no body")?.1)?;
        let verifier = body["code_verifier"].as_str().ok_or("no verifier")?.to_owned();
        assert_eq!(BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(&verifier)), challenge);
        assert_eq!(
            (BASE64_URL_SAFE_NO_PAD.decode(&verifier)?.len(), BASE64_URL_SAFE_NO_PAD.decode(&state)?.len()),
            (32, 32)
        );
        drawn.extend([verifier, state]);
    }
    assert_eq!(drawn.len(), 4, "verifiers and states are drawn anew each time");
    Ok(())
}

#[test]
fn unset_parameters_are_absent_and_empty_ones_refused() -> Outcome {
    let refused = |result: Result<workos_auth::PkceSession<Public>, Error>, expected: &str| {
        let error = result.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::InvalidValue { field, .. } if *field == expected), "{error:?}");
    };
    let start = || public(Adapter::Reqwest, NOWHERE).unwrap().authorize(redirect());
    refused(start().authkit().login_hint("").begin(), "login_hint");
    refused(start().authkit().domain_hint("").begin(), "domain_hint");
    refused(start().authkit().prompt("").begin(), "prompt");
    refused(start().oauth(Provider::Google).provider_scopes([""; 0]).begin(), "provider_scopes");
    refused(start().oauth(Provider::Google).provider_scopes(["a,b"]).begin(), "provider_scopes");
    refused(start().oauth(Provider::Google).provider_query_param("", "x").begin(), "provider_query_params");
    refused(start().oauth(Provider::Google).provider_query_param("a]b", "x").begin(), "provider_query_params");
    // The last value given for a setting counts.
    let session = start().authkit().login_hint("a@example.com").login_hint("b@example.com").begin()?;
    assert_eq!(parameter(session.url(), "login_hint"), "b@example.com");
    assert_eq!(
        Url::parse(session.url().as_str()).unwrap().query_pairs().filter(|(name, _)| name == "login_hint").count(),
        1
    );
    Ok(())
}

with_each_adapter![
    code_exchange,
    refresh,
    grants_of_confidential_clients,
    grants_that_answer_a_step,
    calls_between_the_steps,
    device_login,
    sessions
];
