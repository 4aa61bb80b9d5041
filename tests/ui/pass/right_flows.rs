// The right flows compile, for each kind of client and for code that is generic over it.
use workos_auth::{
    ApiKeyClient, Authentication, AuthenticationResponse, AuthorizationCode, Callback, Client, ClientId,
    ConfidentialClient, Error, HasApiKey, HasClientId, OrganizationId, PublicClient, RedirectUri, RefreshError,
    RefreshToken, Rejected, ScreenHint, Session, SessionCookie, TokenCheck, TokenVerifier,
};

async fn login<K: HasClientId>(client: &Client<K>, callback: Callback) -> Result<AuthenticationResponse, Error> {
    let redirect = RedirectUri::new("https://example.com/callback")?;
    let session = client.authorize(redirect).authkit().screen_hint(ScreenHint::SignUp).begin()?;
    session.exchange(callback)?.send().await?.complete()
}

async fn refresh<K: HasClientId>(client: &Client<K>, token: RefreshToken) -> Result<RefreshToken, Error> {
    match client.authenticate_with_refresh_token(token).send().await {
        Ok(Authentication::Complete(response)) => Ok(response.refresh_token),
        Ok(other) => Ok(other.complete()?.refresh_token),
        Err(rejected) => rejected.recover().map(|grant| grant.into_token()),
    }
}

async fn code<K: HasApiKey + HasClientId>(client: &Client<K>, code: AuthorizationCode) -> Result<(), Error> {
    client.authenticate_with_code(code).send().await?.complete().map(drop)
}

async fn all(public: PublicClient, confidential: ConfidentialClient, key: ApiKeyClient) -> Result<(), Error> {
    login(&public, Callback::from_url("/callback?code=a&state=b")?).await?;
    login(&confidential, Callback::from_url("/callback?code=a&state=b")?).await?;
    refresh(&public, RefreshToken::new("a")).await?;
    let client: ConfidentialClient = key.with_client_id(ClientId::new("client_123")?);
    code(&client, AuthorizationCode::new("a")).await
}

async fn session<K: HasClientId>(session: Session<K>, verifier: &TokenVerifier) -> Result<Session<K>, Error> {
    match session.check(verifier).await? {
        TokenCheck::Active(token) if token.has_permission("posts:write") => Ok(session),
        TokenCheck::Active(_) => {
            session.refresh().await?.switch_organization(OrganizationId::new("org_1")?).await.map_err(Error::from)
        }
        TokenCheck::Expired(_) => session.refresh().await.or_else(RefreshError::recover),
    }
}

fn cookie<K: HasApiKey + HasClientId>(
    cookie: &SessionCookie,
    client: &Client<K>,
    value: &str,
) -> Result<String, Error> {
    Ok(cookie.set(&cookie.open(client, value)?)?.to_string())
}

fn is_send<T: Send>(value: T) -> T {
    value
}

fn is_error<F: 'static>(rejected: Rejected<F>) -> Box<dyn std::error::Error> {
    Box::new(rejected)
}

fn main() {
    let _ = is_send(|public, confidential, key| is_send(all(public, confidential, key)));
    let _ = is_send(|this, verifier: TokenVerifier| {
        is_send(async move { session::<workos_auth::Public>(this, &verifier).await })
    });
    let _ = cookie::<workos_auth::Confidential>;
    let _ = is_error::<workos_auth::PkceSession<workos_auth::Public>>;
}
