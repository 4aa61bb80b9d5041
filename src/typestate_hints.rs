//! What the compiler says where a missing method is the mistake: what to do instead.
//!
//! Each method here needs a trait that no value's type implements, so that no call of it compiles, and the trait has the message. The
//! lifetime in the bound keeps the compiler from refusing the method itself.

#![allow(clippy::must_use_candidate, clippy::missing_errors_doc, reason = "nothing here can be called")]

use std::convert::Infallible;
use std::future::Ready;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

#[cfg(feature = "api")]
use crate::api::{ApiRequest, CustomRequest, List, Page};
use crate::error::Error;
use crate::id::{OrganizationId, UserId};
use crate::login::outcome::Flow;
use crate::login::steps::{
    ChallengeRequest, ContinuesLogin, MfaChallenge, MfaEnrollment, RadarSmsCode, RadarSmsRequest, RadarSmsSignUp,
    StepAnswer, TotpChallenge, TotpEnrollment, TotpEnrollmentRequest,
};
use crate::login::{
    AuthenticationResponse, Callback, CodeExchange, DeviceAuthorizationRequest, DeviceLogin, ImpersonationExchange,
    MagicAuthGrant, NotSignedIn, PasswordGrant, PkceSession, PlainSession, RefreshGrant, User,
};
use crate::rejected::Rejected;
#[cfg(feature = "server")]
use crate::response::ForResponse;
use crate::secret::{AccessToken, AuthorizationCode, CodeVerifier, State, TotpCode};
use crate::session::{
    ActiveSession, ExpiredSession, NotActive, OpenedSession, Refresh, Refreshed, SessionParts, SessionState, SignOut,
    SignedIn,
};
#[cfg(feature = "api")]
use crate::sso::{SsoExchange, SsoLogin};
use crate::token::{ExpiredToken, Membership, TokenVerifier, VerifiedToken};

/// What has no value makes everything.
pub trait Never {
    fn never<T>(&self) -> T;
}

impl Never for Infallible {
    fn never<T>(&self) -> T {
        match *self {}
    }
}

/// Without an implementation, the compiler would suggest to write one.
macro_rules! for_no_value {
    ($($name:ident)*) => {$(
        #[diagnostic::do_not_recommend]
        impl $name<'_> for Infallible {}
    )*};
}

for_no_value! { Checked NotExpired Kept WrittenInOneTask RefreshedByItself StateKnown TokenVerified Fresh OrganizationKnown }
for_no_value! { StateChecked CallbackKnown SecretsShown NotRejected Challenged NotComplete Sent }
#[cfg(feature = "server")]
for_no_value! { HeadersAdded }

#[diagnostic::on_unimplemented(
    message = "nothing of an opened session is verified: it has no user, and can't be signed out",
    label = "check the session first",
    note = "`session.check(&verifier).await` gives an `ActiveSession` with the user and the verified token",
    note = "when its access token has expired, it gives `NotActive::Expired(expired)`, and `expired.refresh()` goes on"
)]
pub trait Checked<'never>: Never {}

#[doc(hidden)]
#[rustfmt::skip]
impl<K> OpenedSession<K> {
    pub fn user(&self) -> &User where for<'never> Self: Checked<'never> { self.never() }
    pub fn organization_id(&self) -> Option<&OrganizationId> where for<'never> Self: Checked<'never> { self.never() }
    pub fn token(&self) -> &VerifiedToken where for<'never> Self: Checked<'never> { self.never() }
    pub fn claims(&self) -> &VerifiedToken where for<'never> Self: Checked<'never> { self.never() }
    pub fn access_token(&self) -> &AccessToken where for<'never> Self: Checked<'never> { self.never() }
    pub fn switch_organization(&self, _: OrganizationId) -> Refresh<K> where for<'never> Self: Checked<'never> { self.never() }
    pub fn sign_out<T>(&self, _: T) -> SignOut where for<'never> Self: Checked<'never> { self.never() }
}

type Check<K> = Ready<Result<ActiveSession<K>, NotActive<K>>>;

#[diagnostic::on_unimplemented(
    message = "the access token of this session has expired: it doesn't say who is signed in",
    label = "refresh the session first",
    note = "a session in a store of your own: `expired.refresh().keep(write).await` gives a session to check",
    note = "a session in a cookie: `expired.refresh().await?.into_cookie(&cookie)?` gives the cookie and a session to check"
)]
pub trait NotExpired<'never>: Never {}

#[doc(hidden)]
#[rustfmt::skip]
impl<K> ExpiredSession<K> {
    pub fn user(&self) -> &User where for<'never> Self: NotExpired<'never> { self.never() }
    pub fn organization_id(&self) -> Option<&OrganizationId> where for<'never> Self: NotExpired<'never> { self.never() }
    pub fn token(&self) -> &VerifiedToken where for<'never> Self: NotExpired<'never> { self.never() }
    pub fn claims(&self) -> &VerifiedToken where for<'never> Self: NotExpired<'never> { self.never() }
    pub fn access_token(&self) -> &AccessToken where for<'never> Self: NotExpired<'never> { self.never() }
}

#[diagnostic::on_unimplemented(
    message = "the new tokens of this session exist only here: keep them before the session is used",
    label = "keep the session first",
    note = "`refreshed.into_cookie(&cookie)?` gives the cookie for the response, and the session to check",
    note = "a store of your own is written to by `session.refresh().keep(write).await`, instead of `session.refresh().await`"
)]
pub trait Kept<'never>: Never {}

#[diagnostic::on_unimplemented(
    message = "a request handler may be dropped before it writes these tokens, and then the session is lost",
    label = "refresh and write in one call",
    note = "`session.refresh().keep(write).await`, without an `.await` before `keep`, does both in a task that goes on"
)]
pub trait WrittenInOneTask<'never>: Never {}

#[doc(hidden)]
#[rustfmt::skip]
impl<K> Refreshed<K> {
    pub fn user(&self) -> &User where for<'never> Self: Kept<'never> { self.never() }
    pub fn token(&self) -> &VerifiedToken where for<'never> Self: Kept<'never> { self.never() }
    pub fn access_token(&self) -> &AccessToken where for<'never> Self: Kept<'never> { self.never() }
    pub fn check(&self, _: &TokenVerifier) -> Check<K> where for<'never> Self: Kept<'never> { self.never() }
    pub fn refresh(&self) -> Refresh<K> where for<'never> Self: Kept<'never> { self.never() }
    pub fn keep<T>(self, _: T) -> Ready<Result<OpenedSession<K>, Error>> where for<'never> Self: WrittenInOneTask<'never> { self.never() }
    pub fn into_unverified_parts(self) -> SessionParts where for<'never> Self: WrittenInOneTask<'never> { self.never() }
}

#[diagnostic::on_unimplemented(
    message = "a session that something else keeps isn't refreshed by hand: its refresh token would be used twice",
    label = "leave this to what keeps the session",
    note = "`SessionManager`, `CookieSessions` and `TokenSession` refresh it in `authenticate` when it is time",
    note = "for another organization, call their `switch_organization`"
)]
pub trait RefreshedByItself<'never>: Never {}

#[doc(hidden)]
#[rustfmt::skip]
impl SignedIn {
    pub fn refresh(&self) -> Ready<Result<Self, Error>> where for<'never> Self: RefreshedByItself<'never> { self.never() }
}

#[diagnostic::on_unimplemented(
    message = "a state isn't a signed-in user yet",
    label = "match on the state first",
    note = "`SessionState::Active(signed_in)` has the user and the verified token",
    note = "`state.active()?` gives the same, and an error for the two other states"
)]
pub trait StateKnown<'never>: Never {}

#[doc(hidden)]
#[rustfmt::skip]
impl SessionState {
    pub fn user(&self) -> &User where for<'never> Self: StateKnown<'never> { self.never() }
    pub fn organization_id(&self) -> Option<&OrganizationId> where for<'never> Self: StateKnown<'never> { self.never() }
    pub fn token(&self) -> &VerifiedToken where for<'never> Self: StateKnown<'never> { self.never() }
    pub fn access_token(&self) -> &AccessToken where for<'never> Self: StateKnown<'never> { self.never() }
}

#[diagnostic::on_unimplemented(
    message = "what was found out about a request comes out together with its response",
    label = "call `respond` instead",
    note = "`.respond(|found| response)` hands over what was found, and adds the session's headers to the response",
    note = "`.respond_async(async |found| response).await` does the same for a response that takes time to make"
)]
#[cfg(feature = "server")]
pub trait HeadersAdded<'never>: Never {}

#[doc(hidden)]
#[rustfmt::skip]
#[cfg(feature = "server")]
impl<T> ForResponse<T> {
    pub fn user(&self) -> &User where for<'never> Self: HeadersAdded<'never> { self.never() }
    pub fn token(&self) -> &VerifiedToken where for<'never> Self: HeadersAdded<'never> { self.never() }
    pub fn active(&self) -> Result<SignedIn, Error> where for<'never> Self: HeadersAdded<'never> { self.never() }
    pub fn into_parts(&self) -> (T, http::HeaderMap) where for<'never> Self: HeadersAdded<'never> { self.never() }
}

#[diagnostic::on_unimplemented(
    message = "an access token says nothing before it was verified",
    label = "verify the token first",
    note = "`verifier.verify(&access_token).await?` gives a `VerifiedToken`; `client.verifier()` makes the verifier"
)]
pub trait TokenVerified<'never>: Never {}

#[doc(hidden)]
#[rustfmt::skip]
impl AccessToken {
    pub fn user_id(&self) -> &UserId where for<'never> Self: TokenVerified<'never> { self.never() }
    pub fn claims(&self) -> &VerifiedToken where for<'never> Self: TokenVerified<'never> { self.never() }
    pub fn has_permission(&self, _: &str) -> bool where for<'never> Self: TokenVerified<'never> { self.never() }
}

#[diagnostic::on_unimplemented(
    message = "an expired token decides nothing: it doesn't say who is signed in, nor what they may do",
    label = "refresh the session first",
    note = "it is for `logout_url(&token, …)`, and says by `session_id()` which session to refresh",
    note = "the token of the refreshed session is verified by `check(&verifier)` or `verifier.verify(&access_token)`"
)]
pub trait Fresh<'never>: Never {}

type Rights<'a> = Result<Membership<'a>, Error>;

#[doc(hidden)]
#[rustfmt::skip]
impl ExpiredToken {
    pub fn user_id(&self) -> &UserId where for<'never> Self: Fresh<'never> { self.never() }
    pub fn has_permission(&self, _: &str) -> bool where for<'never> Self: Fresh<'never> { self.never() }
    pub fn in_organization(&self, _: &OrganizationId) -> Rights<'_> where for<'never> Self: Fresh<'never> { self.never() }
}

#[diagnostic::on_unimplemented(
    message = "roles and permissions count in one organization only",
    label = "say in which organization",
    note = "`token.in_organization(&id)?` has them, where `id` is the organization that the requested data belongs to",
    note = "the token of a session is `session.token()`",
    note = "`token.active_organization()` has those of the organization that the user signed in to, whichever it is"
)]
pub trait OrganizationKnown<'never>: Never {}

type Texts<'a> = std::slice::Iter<'a, &'a str>;

#[doc(hidden)]
#[rustfmt::skip]
impl<C> VerifiedToken<C> {
    pub fn permissions(&self) -> Texts<'_> where for<'never> Self: OrganizationKnown<'never> { self.never() }
    pub fn role(&self) -> Option<&str> where for<'never> Self: OrganizationKnown<'never> { self.never() }
    pub fn has_role(&self, _: &str) -> bool where for<'never> Self: OrganizationKnown<'never> { self.never() }
    pub fn has_permission(&self, _: &str) -> bool where for<'never> Self: OrganizationKnown<'never> { self.never() }
    pub fn has_entitlement(&self, _: &str) -> bool where for<'never> Self: OrganizationKnown<'never> { self.never() }
}

#[doc(hidden)]
#[rustfmt::skip]
impl<K> ActiveSession<K> {
    pub fn has_role(&self, _: &str) -> bool where for<'never> Self: OrganizationKnown<'never> { self.never() }
    pub fn has_permission(&self, _: &str) -> bool where for<'never> Self: OrganizationKnown<'never> { self.never() }
    pub fn has_entitlement(&self, _: &str) -> bool where for<'never> Self: OrganizationKnown<'never> { self.never() }
    pub fn permissions(&self) -> Texts<'_> where for<'never> Self: OrganizationKnown<'never> { self.never() }
}

#[doc(hidden)]
#[rustfmt::skip]
impl SignedIn {
    pub fn has_role(&self, _: &str) -> bool where for<'never> Self: OrganizationKnown<'never> { self.never() }
    pub fn has_permission(&self, _: &str) -> bool where for<'never> Self: OrganizationKnown<'never> { self.never() }
    pub fn has_entitlement(&self, _: &str) -> bool where for<'never> Self: OrganizationKnown<'never> { self.never() }
    pub fn permissions(&self) -> Texts<'_> where for<'never> Self: OrganizationKnown<'never> { self.never() }
}

#[diagnostic::on_unimplemented(
    message = "a callback hands out its code only when its state was checked",
    label = "anybody can send a callback",
    note = "`session.exchange(callback)?` checks it, where `session` is what `authorize(…)…begin()?` gave",
    note = "an application that builds its own authorization URL keeps the state, and calls `callback.code_for(&state)?`"
)]
pub trait StateChecked<'never>: Never {}

#[doc(hidden)]
#[rustfmt::skip]
impl Callback {
    pub fn code(&self) -> Result<AuthorizationCode, Error> where for<'never> Self: StateChecked<'never> { self.never() }
}

#[diagnostic::on_unimplemented(
    message = "this login waits for its callback: there is nothing to send yet",
    label = "exchange the callback first",
    note = "send the browser to `session.url()`, then call `session.exchange(callback)?.send().await?`"
)]
pub trait CallbackKnown<'never>: Never {}

#[doc(hidden)]
#[rustfmt::skip]
impl<K> PkceSession<K> {
    pub fn send(&self) -> SignIn where for<'never> Self: CallbackKnown<'never> { self.never() }
}

#[doc(hidden)]
#[rustfmt::skip]
impl<K> PlainSession<K> {
    pub fn send(&self) -> SignIn where for<'never> Self: CallbackKnown<'never> { self.never() }
}

type SignIn = Ready<Result<AuthenticationResponse, Error>>;

#[diagnostic::on_unimplemented(
    message = "code verifier and state belong to one login, and never leave it",
    label = "the login checks its state and sends its code verifier by itself",
    note = "`session.exchange(callback)?.send().await?` does both, where `session` is what `authorize(…)…begin()?` gave",
    note = "to keep a login until its callback comes, use `LoginCookies`, `Parking` or a `PkceStore`"
)]
pub trait SecretsShown<'never>: Never {}

#[doc(hidden)]
#[rustfmt::skip]
impl<K> PkceSession<K> {
    pub fn code_verifier(&self) -> &CodeVerifier where for<'never> Self: SecretsShown<'never> { self.never() }
    pub fn state(&self) -> &State where for<'never> Self: SecretsShown<'never> { self.never() }
}

#[doc(hidden)]
#[rustfmt::skip]
impl<K> CodeExchange<K> {
    pub fn code_verifier<V>(self, _: V) -> Self where for<'never> Self: SecretsShown<'never> { self.never() }
}

#[diagnostic::on_unimplemented(
    message = "this call failed, and what it sent may be used up",
    label = "recover the value first",
    note = "`rejected.recover()?` gives back what can be sent again, and the error when it was used up"
)]
pub trait NotRejected<'never>: Never {}

#[doc(hidden)]
#[rustfmt::skip]
impl<F> Rejected<F> {
    pub fn send(&self) -> SignIn where for<'never> Self: NotRejected<'never> { self.never() }
}

#[doc(hidden)]
#[rustfmt::skip]
impl<F: Flow> NotSignedIn<F> {
    pub fn send(&self) -> SignIn where for<'never> Self: NotRejected<'never> { self.never() }
}

#[diagnostic::on_unimplemented(
    message = "no factor was challenged yet, so there is no code to verify",
    label = "challenge a factor first",
    note = "`step.challenge(&factor.id).send().await?` gives a `TotpChallenge`, where `factor` is one of `step.factors()`"
)]
pub trait Challenged<'never>: Never {}

type Answered<K> = StepAnswer<TotpChallenge<K>>;

#[doc(hidden)]
#[rustfmt::skip]
impl<K> MfaChallenge<K> {
    pub fn verify(&self, _: TotpCode) -> Answered<K> where for<'never> Self: Challenged<'never> { self.never() }
}

#[diagnostic::on_unimplemented(
    message = "there is nothing to complete: `Ok` is a signed-in user, and `Err` isn't",
    label = "leave this call out",
    note = "`send().await?` gives an `AuthenticationResponse`; a step that the login needs is in `NotSignedIn::Step(step)`"
)]
pub trait NotComplete<'never>: Never {}

type Completed = Result<AuthenticationResponse, Error>;

#[doc(hidden)]
#[rustfmt::skip]
impl AuthenticationResponse {
    pub fn complete(self) -> Completed where for<'never> Self: NotComplete<'never> { self.never() }
}

#[doc(hidden)]
#[rustfmt::skip]
impl<F: Flow> NotSignedIn<F> {
    pub fn complete(self) -> Completed where for<'never> Self: NotComplete<'never> { self.never() }
}

#[diagnostic::on_unimplemented(
    message = "nothing was sent yet: `.await` alone sends nothing",
    label = "write `.send().await`",
    note = "requests are prepared first, and sent with `.send().await`"
)]
pub trait Sent<'never>: Never {}

/// A request that is awaited. The compiler says what a trait says only if it isn't about the awaited type itself.
#[allow(missing_debug_implementations, reason = "there is no value of it")]
pub struct Unsent<R>(PhantomData<fn() -> R>);

/// A request isn't a future, and the compiler's own advice would be to remove the `.await`.
macro_rules! sent_first {
    ($([$($generic:tt)*] $request:ty, $output:ty;)*) => {$(
        #[doc(hidden)]
        impl<$($generic)*> Future for $request
        where
            for<'never> Unsent<Self>: Sent<'never>,
        {
            type Output = $output;

            fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
                Unsent::<Self>(PhantomData).never()
            }
        }
    )*};
}

type Grant<F> = Result<AuthenticationResponse, NotSignedIn<F>>;

sent_first! {
    [K] CodeExchange<K>, Grant<Self>;
    [K] ImpersonationExchange<K>, Result<AuthenticationResponse, Rejected<Self>>;
    [K] PasswordGrant<K>, Grant<Self>;
    [K] MagicAuthGrant<K>, Grant<Self>;
    [K] RefreshGrant<K>, Grant<Self>;
    [K] DeviceAuthorizationRequest<K>, Result<DeviceLogin<K>, Error>;
    [S: ContinuesLogin] StepAnswer<S>, Grant<S>;
    [K] ChallengeRequest<K>, Result<TotpChallenge<K>, Rejected<MfaChallenge<K>>>;
    [K] TotpEnrollmentRequest<K>, Result<TotpEnrollment<K>, Rejected<MfaEnrollment<K>>>;
    [K] RadarSmsRequest<K>, Result<RadarSmsCode<K>, Rejected<RadarSmsSignUp<K>>>;
}

#[cfg(feature = "api")]
sent_first! {
    [T] ApiRequest<T>, Result<T, Error>;
    [T] List<T>, Result<Page<T>, Error>;
    ['a] CustomRequest<'a>, Result<serde_json::Value, Error>;
    [K] SsoExchange<K>, Result<SsoLogin, Rejected<Self>>;
}
