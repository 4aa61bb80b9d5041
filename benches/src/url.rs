//! What the beginning of a login costs: an authorization URL with PKCE (RFC 7636) and a state.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use oauth2::{AuthUrl, ClientId, CsrfToken, PkceCodeChallenge, RedirectUrl};
use sha2::{Digest, Sha256};
use workos::helpers::authkit::AuthKitAuthorizationUrlParams;
use workos_auth::{Client, ConfidentialClient, PkceSession, RedirectUri};

use crate::Outcome;
use crate::harness::{Contestant, Effort, rounds};
use crate::model::{API_KEY, CLIENT_ID};
use crate::report::{Bar, Report, Row};

const REDIRECT_URI: &str = "https://app.example.com/auth/callback";

/// What the peers hold ready, as a server does.
pub struct Beginnings {
    /// The constant part of the URL.
    prefix: String,
    oauth2: oauth2::basic::BasicClient<oauth2::EndpointSet>,
    ours: ConfidentialClient,
    redirect_uri: RedirectUri,
    workos: workos::Client,
}

impl Beginnings {
    pub fn new() -> Outcome<Self> {
        let redirect = "https%3A%2F%2Fapp.example.com%2Fauth%2Fcallback";
        Ok(Self {
            prefix: format!(
                "https://api.workos.com/user_management/authorize?client_id={CLIENT_ID}&redirect_uri={redirect}\
                 &response_type=code&provider=authkit&code_challenge_method=S256&code_challenge="
            ),
            oauth2: oauth2::basic::BasicClient::new(ClientId::new(CLIENT_ID.into()))
                .set_auth_uri(AuthUrl::new("https://api.workos.com/user_management/authorize".into())?)
                .set_redirect_uri(RedirectUrl::new(REDIRECT_URI.into())?),
            ours: Client::builder().client_id(CLIENT_ID).api_key(API_KEY).build()?,
            redirect_uri: RedirectUri::new(REDIRECT_URI)?,
            workos: workos::Client::builder().api_key(API_KEY).client_id(CLIENT_ID).build(),
        })
    }

    /// 64 random bytes, SHA-256, base64 three times, and the text of the URL in one buffer; gives the verifier, too.
    pub fn floor(&self) -> (String, [u8; 43]) {
        let mut random = [0; 64];
        let filled = rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty()).unwrap();
        assert_eq!(filled, 64);
        let mut verifier = [0; 43];
        BASE64_URL_SAFE_NO_PAD.encode_slice(&random[..32], &mut verifier).unwrap();
        let mut url = String::with_capacity(self.prefix.len() + 43 + "&state=".len() + 43);
        url.push_str(&self.prefix);
        BASE64_URL_SAFE_NO_PAD.encode_string(Sha256::digest(verifier), &mut url);
        url.push_str("&state=");
        BASE64_URL_SAFE_NO_PAD.encode_string(&random[32..], &mut url);
        (url, verifier)
    }

    pub fn oauth2(&self) -> (url::Url, CsrfToken, oauth2::PkceCodeVerifier) {
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let request = self.oauth2.authorize_url(CsrfToken::new_random);
        let (url, state) = request.add_extra_param("provider", "authkit").set_pkce_challenge(challenge).url();
        (url, state, verifier)
    }

    pub fn ours(&self) -> PkceSession<workos_auth::Confidential> {
        self.ours.authorize(self.redirect_uri.clone()).authkit().begin().unwrap()
    }

    pub fn workos(&self) -> workos::helpers::authkit::AuthKitPkceAuthorizationUrl {
        let parameters = AuthKitAuthorizationUrlParams {
            redirect_uri: REDIRECT_URI.to_owned(),
            provider: Some("authkit".to_owned()),
            ..Default::default()
        };
        self.workos.authkit().pkce_authorization_url(parameters).unwrap()
    }

    /// All of them make URLs with the same parameters.
    fn check(&self) -> Outcome {
        let names = |url: &str| -> Outcome<Vec<String>> {
            let mut names: Vec<_> = url::Url::parse(url)?.query_pairs().map(|(name, _)| name.into_owned()).collect();
            names.sort();
            Ok(names)
        };
        let floor = names(&self.floor().0)?;
        for url in [self.oauth2().0.as_str(), self.ours().url().as_str(), &self.workos().url] {
            assert_eq!(names(url)?, floor);
        }
        Ok(())
    }
}

pub fn run(effort: Effort, report: &mut Report) -> Outcome {
    let beginnings = Beginnings::new()?;
    beginnings.check()?;
    let series = rounds(
        effort,
        vec![
            Contestant::calls("randomness, SHA-256, base64, text", effort, || beginnings.floor()),
            Contestant::calls("`workos-auth`", effort, || beginnings.ours()),
            Contestant::calls("`oauth2` 5", effort, || beginnings.oauth2()),
            Contestant::calls("`workos` 3.5.0", effort, || beginnings.workos()),
        ],
    )?;
    let [floor, ours, oauth2, workos] = &series[..] else { return Err("four series".into()) };
    report.heading("Beginning a login");
    report.table(&[
        Row::floor(floor),
        Row::over(ours, floor, "the floor"),
        Row::over(oauth2, ours, "`workos-auth`"),
        Row::over(workos, ours, "`workos-auth`"),
    ]);
    report.bars(
        "url",
        "An authorization URL with PKCE: time of one",
        &[
            Bar::floor("floor", floor),
            Bar::ours("workos-auth", ours),
            Bar::peer("oauth2 5", oauth2),
            Bar::peer("workos 3.5.0", workos),
        ],
    )
}
