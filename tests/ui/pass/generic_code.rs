//! Code that is generic over the client, and the futures and errors that tasks pass on.

use workos_auth::login::RefreshGrant;
use workos_auth::secret::AuthorizationCode;
use workos_auth::typestate::{Flow, HasApiKey, HasClientId, IsConfidential, Parkable};
use workos_auth::{
    ActiveSession, ApiKeyClient, AuthenticationResponse, Client, ClientId, ConfidentialClient, Error, NotSignedIn,
    PkceSession, Public, RedirectUri, RefreshToken, Rejected, TokenVerifier,
};

fn begin<K: HasClientId>(client: &Client<K>) -> Result<PkceSession<K>, Error> {
    client.authorize(RedirectUri::new("https://example.com/callback")?).authkit().begin()
}

async fn refresh<K: HasClientId>(grant: RefreshGrant<K>) -> Result<RefreshToken, Error> {
    match grant.send().await {
        Ok(response) => Ok(response.refresh_token),
        Err(not_signed_in) => Ok(not_signed_in.recover()?.into_token()),
    }
}

async fn exchange<K: IsConfidential>(
    client: &Client<K>,
    code: AuthorizationCode,
) -> Result<AuthenticationResponse, Error> {
    Ok(client.authenticate_with_code(code).send().await?)
}

async fn count<K: HasApiKey>(client: &Client<K>) -> Result<usize, Error> {
    Ok(client.users().list().send().await?.data.len())
}

fn seal<F: Parkable>(parking: &workos_auth::parking::Parking, login: F) -> Result<String, Rejected<F>> {
    parking.park(login)
}

async fn check(session: ActiveSession<Public>, verifier: TokenVerifier) -> Result<(), Error> {
    let opened = session.refresh().keep(async |_| Ok::<_, std::io::Error>(true)).await?;
    opened.check(&verifier).await?;
    Ok(())
}

fn with_client_id(client: ApiKeyClient, id: ClientId) -> ConfidentialClient {
    client.with_client_id(id)
}

fn boxed<F: Flow + 'static>(not_signed_in: NotSignedIn<F>) -> Box<dyn std::error::Error> {
    Box::new(not_signed_in)
}

fn is_send<T: Send>(value: T) -> T {
    value
}

fn main() {
    let _ = is_send(|grant: RefreshGrant<Public>| is_send(refresh(grant)));
    let _ = is_send(|session, verifier| is_send(check(session, verifier)));
    let _ = is_send(|client: ConfidentialClient, code| is_send(async move { exchange(&client, code).await }));
    let _ = is_send(|client: ApiKeyClient| is_send(async move { count(&client).await }));
    let _ = (begin::<Public>, seal::<PkceSession<workos_auth::Confidential>>, with_client_id);
    let _ = boxed::<workos_auth::CodeExchange<Public>>;
}
