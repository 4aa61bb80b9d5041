//! Functions that leave out a check. Each says which one, and what the application must do instead.
//!
//! | function | what is not checked |
//! | --- | --- |
//! | [`code_without_state`] | whether this browser began the login |

use crate::error::Error;
use crate::login::Callback;
use crate::secret::AuthorizationCode;

/// The code of a callback that belongs to no login of this application: an identity provider began it, and it has no `state`.
///
/// Nothing ties such a code to this browser. An attacker can send a user the callback of the attacker's own login (login CSRF,
/// RFC 9700 §4.7), and what the user does next happens in the attacker's account. Accept one only where the application means
/// to support logins that identity providers begin; better, start a login of your own in answer to it. For impersonation there is
/// [`Client::accept_impersonation`](crate::Client::accept_impersonation), which checks what it got.
///
/// ```
/// use workos_auth::{Callback, danger};
///
/// let callback = Callback::from_query("code=01E2")?;
/// let code = danger::code_without_state(callback)?;
/// # let callback = Callback::from_query("code=01E2&state=abc")?;
/// # assert!(danger::code_without_state(callback).is_err());
/// # Ok::<_, workos_auth::Error>(())
/// ```
///
/// # Errors
/// [`ErrorKind::Callback`](crate::ErrorKind::Callback) when the callback carries an error, or a `state`: then it belongs to a login that
/// must check it.
pub fn code_without_state(callback: Callback) -> Result<AuthorizationCode, Error> {
    callback.code_without_state()
}
