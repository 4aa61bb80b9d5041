//! WorkOS's Actions: it asks the application whether somebody may sign in or register, and waits for the answer.
//!
//! | item | what it is |
//! | --- | --- |
//! | [`Actions`] | verifies a request, and hands its Action to a handler |
//! | [`Action`], [`AuthenticationAction`], [`UserRegistrationAction`] | what WorkOS asks |
//! | [`ActionAnswer`] | the signed answer, which `allow()` or `deny(…)` makes of an Action |
//! | [`ActionError`] | why there is no answer, and the status of the response |
//!
//! An endpoint, over the types of the `http` crate. Register its URL in the dashboard, and keep the secret that the dashboard shows.
//!
//! ```
//! use std::io;
//!
//! use workos_auth::action::{Action, ActionSecret, Actions};
//! use workos_auth::reexports::bytes::Bytes;
//! use workos_auth::reexports::http::{Request, Response};
//! # use workos_auth::testing::{ActionVerdict, AuthKit};
//!
//! async fn endpoint(actions: &Actions, request: Request<Bytes>) -> Response<String> {
//!     let answered = actions.handle(request.headers(), request.body(), async |action| {
//!         Ok::<_, io::Error>(match action {
//!             Action::Authentication(sign_in) => sign_in.allow(),
//!             Action::UserRegistration(user) if user.user_data.email.ends_with("@example.com") => user.allow(),
//!             other => other.deny("Please register with your work e-mail address."),
//!         })
//!     });
//!     answered.await.unwrap_or_else(|error| {
//!         eprintln!("action: {error}");
//!         let mut response = Response::new(String::new());
//!         *response.status_mut() = error.status();
//!         response
//!     })
//! }
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let authkit = AuthKit::start().await?;
//! # let client = authkit.confidential_client();
//! // Usually from an environment variable.
//! let secret = ActionSecret::new("the-secret-of-this-endpoint")?;
//! let actions = Actions::new(&client, secret.clone());
//!
//! // In a test, the in-process AuthKit makes the request that WorkOS would send, and reads the answer as WorkOS does:
//! let request = authkit.user_registration_action(&secret, "eve@elsewhere.example")?;
//! let response = endpoint(&actions, request.clone()).await;
//! let verdict = authkit.read_action_answer(&secret, &request, response.body())?;
//! assert_eq!(verdict, ActionVerdict::Deny(Some("Please register with your work e-mail address.".to_owned())));
//! # Ok(())
//! # }
//! ```
//!
//! # When there is no answer
//!
//! A request that can't be verified or read, or whose handler fails, has no answer: neither is anything allowed, nor anything signed. The
//! response then has an error's [`status`](ActionError::status). What WorkOS does is a setting of the endpoint in the dashboard (*error
//! handling behavior*): it denies, unless you have chosen to allow. So where that is set to allow, an outage of the endpoint lets everybody
//! in. A handler that must never let somebody in by its own failure answers that failure with `deny(…)`.
//!
//! The same request is accepted again for 30 seconds. So a handler should only decide: what follows from a sign-in or a registration is told
//! by [webhooks](crate::webhook), each event once.

mod answer;
mod context;
mod error;

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;

pub use answer::ActionAnswer;
use answer::{Signer, Verdict};
pub use context::{
    ActionInvitation, ActionOrganization, AuthenticationContext, DomainState, OrganizationDomain, RegisteringUser,
    UserRegistrationContext,
};
pub use error::{ActionError, ActionErrorKind};

use crate::client::Client;
use crate::runtime::Clock;
pub use crate::secret::ActionSecret;
use crate::signature;

/// How old a signature may be, and how far in the future.
const TOLERANCE: Duration = Duration::from_secs(30);
/// How many bytes a body may have, unless the application says otherwise. An Action of WorkOS has a few thousand.
const MAX_BODY_BYTES: usize = 256 * 1024;

const AUTHENTICATION: &str = "authentication_action_context";
const AUTHENTICATION_ANSWER: &str = "authentication_action_response";
const USER_REGISTRATION: &str = "user_registration_action_context";
const USER_REGISTRATION_ANSWER: &str = "user_registration_action_response";

/// Verifies the requests to an Actions endpoint, and signs the answers. See the [module](self).
///
/// Nothing is sent: WorkOS waits for the response to its own request.
#[derive(Clone)]
pub struct Actions {
    secrets: Vec<ActionSecret>,
    clock: Arc<dyn Clock>,
    pub(crate) max_body_bytes: usize,
}

impl Actions {
    /// For the endpoint with this secret. The times of signatures go by the client's clock, which only tests set.
    #[must_use]
    pub fn new<K>(client: &Client<K>, secret: ActionSecret) -> Self {
        let clock = Arc::clone(&client.core.runtime.clock);
        Self { secrets: vec![secret], clock, max_body_bytes: MAX_BODY_BYTES }
    }

    /// Accepts the signatures of another secret, too: of the old one, while it is exchanged for a new one, or of another endpoint. An
    /// answer is signed with the secret that its request was signed with.
    #[must_use]
    pub fn or_secret(mut self, secret: ActionSecret) -> Self {
        self.secrets.push(secret);
        self
    }

    /// How many bytes a body may have; 262,144 unless set. Give your framework a limit, too: the body is in memory when it comes here.
    #[must_use]
    pub fn max_body_bytes(mut self, bytes: usize) -> Self {
        self.max_body_bytes = bytes;
        self
    }

    /// Verifies a request, hands its Action to `handler`, and signs the handler's answer. `Ok` is the response to WorkOS.
    ///
    /// It verifies as [`verify`](Self::verify) does. WorkOS and a human wait for the answer, so a handler must answer within seconds.
    ///
    /// # Errors
    /// [`ActionError`]: answer with its [`status`](ActionError::status), also when the handler fails. See
    /// [When there is no answer](self#when-there-is-no-answer).
    pub async fn handle<E>(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        handler: impl AsyncFnOnce(Action) -> Result<ActionAnswer, E>,
    ) -> Result<Response<String>, ActionError>
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let answer = handler(self.verify(headers, body)?).await;
        answer.map(ActionAnswer::into_response).map_err(|error| ActionError::handler(error.into()))
    }

    /// Verifies a request: what WorkOS asks.
    ///
    /// `body` is the request's body as it came, byte for byte: a body that was parsed and written again has another signature. The
    /// header `WorkOS-Signature` must be there once, as `t=…, v1=…`, and not be older than 30 seconds or that far in the future. The body
    /// is signed with one of the secrets; the comparison takes constant time.
    ///
    /// # Errors
    /// [`ActionError`]: answer with its [`status`](ActionError::status).
    pub fn verify(&self, headers: &HeaderMap, body: &[u8]) -> Result<Action, ActionError> {
        let signature = signature::parse(headers)?;
        if body.len() > self.max_body_bytes {
            return Err(ActionErrorKind::TooLarge.into());
        }
        let secret = signature.verify(&self.secrets, body, TOLERANCE, self.clock.now())?;
        let signer = Signer { secret: secret.clone(), clock: Arc::clone(&self.clock) };
        Ok(match read::<Kind>(body)?.object.as_str() {
            AUTHENTICATION => Action::Authentication(AuthenticationAction { context: read(body)?, signer }),
            USER_REGISTRATION => Action::UserRegistration(UserRegistrationAction { context: read(body)?, signer }),
            _ => return Err(ActionErrorKind::UnknownAction.into()),
        })
    }
}

/// What every Action says of itself.
#[derive(Deserialize)]
struct Kind {
    object: String,
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, ActionError> {
    serde_json::from_slice(body).map_err(|_| ActionErrorKind::Unreadable.into())
}

impl fmt::Debug for Actions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Actions").field("secrets", &self.secrets.len()).finish_non_exhaustive()
    }
}

/// What WorkOS asks. Only [`Actions`] make it, of a request whose signature was right.
///
/// WorkOS may add kinds of Actions. One that this release has no type for is an [error](ActionErrorKind::UnknownAction).
#[derive(Debug)]
#[must_use = "WorkOS waits for an answer: `allow()` or `deny(…)`"]
#[non_exhaustive]
pub enum Action {
    /// Whether somebody may sign in.
    Authentication(AuthenticationAction),
    /// Whether somebody may register.
    UserRegistration(UserRegistrationAction),
}

impl Action {
    /// The answer that allows it, whatever its kind.
    pub fn allow(self) -> ActionAnswer {
        match self {
            Self::Authentication(action) => action.allow(),
            Self::UserRegistration(action) => action.allow(),
        }
    }

    /// The answer that denies it, whatever its kind, with a message for the user. An empty message is left out.
    pub fn deny(self, message: impl Into<String>) -> ActionAnswer {
        match self {
            Self::Authentication(action) => action.deny(message),
            Self::UserRegistration(action) => action.deny(message),
        }
    }
}

/// The question whether somebody may sign in. It has the fields of an [`AuthenticationContext`]: `action.user.email`.
///
/// Only [`Actions`] make it, of a request whose signature was right.
#[must_use = "WorkOS waits for an answer: `allow()` or `deny(…)`"]
pub struct AuthenticationAction {
    context: Box<AuthenticationContext>,
    signer: Signer,
}

impl AuthenticationAction {
    /// The answer that lets the user sign in.
    pub fn allow(self) -> ActionAnswer {
        self.signer.answer(AUTHENTICATION_ANSWER, Verdict::Allow)
    }

    /// The answer that doesn't let the user sign in, with a message for the user. An empty message is left out.
    pub fn deny(self, message: impl Into<String>) -> ActionAnswer {
        self.signer.answer(AUTHENTICATION_ANSWER, Verdict::Deny { message: message.into() })
    }
}

/// The question whether somebody may register. It has the fields of a [`UserRegistrationContext`]: `action.user_data.email`.
///
/// Only [`Actions`] make it, of a request whose signature was right.
#[must_use = "WorkOS waits for an answer: `allow()` or `deny(…)`"]
pub struct UserRegistrationAction {
    context: Box<UserRegistrationContext>,
    signer: Signer,
}

impl UserRegistrationAction {
    /// The answer that lets the user register.
    pub fn allow(self) -> ActionAnswer {
        self.signer.answer(USER_REGISTRATION_ANSWER, Verdict::Allow)
    }

    /// The answer that doesn't let the user register, with a message for the user. An empty message is left out.
    pub fn deny(self, message: impl Into<String>) -> ActionAnswer {
        self.signer.answer(USER_REGISTRATION_ANSWER, Verdict::Deny { message: message.into() })
    }
}

/// What is asked has the fields of its context, and shows nothing else.
macro_rules! with_context {
    ($($name:ident: $context:ident,)*) => {$(
        impl Deref for $name {
            type Target = $context;

            fn deref(&self) -> &$context {
                &self.context
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.debug_tuple(stringify!($name)).field(&self.context).finish()
            }
        }
    )*};
}

with_context! {
    AuthenticationAction: AuthenticationContext,
    UserRegistrationAction: UserRegistrationContext,
}
