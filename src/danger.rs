//! Functions that leave out a check. Each says which one, and what the application must do instead.
//!
//! | function | what is not checked |
//! | --- | --- |
//! | [`code_without_state`] | whether this browser began the login |

use crate::error::Error;
use crate::login::Callback;
use crate::secret::AuthorizationCode;

/// The code of a callback that no login of this application started: an identity provider started it, and it has no `state`.
///
/// Nothing ties such a code to this browser. An attacker can send a user the callback of the attacker's own login (login CSRF,
/// RFC 9700 §4.7), and the user then works in the attacker's account without noticing. Accept such a code only where the application
/// must support logins that identity providers start. It is safer to start a login of your own when such a callback arrives. For
/// impersonation use [`Client::accept_impersonation`](crate::Client::accept_impersonation), which checks its result.
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
/// [`ErrorKind::Callback`](crate::ErrorKind::Callback) when the callback has an error or a `state`. With a `state` it belongs to a login,
/// which must check it.
pub fn code_without_state(callback: Callback) -> Result<AuthorizationCode, Error> {
    callback.code_without_state()
}
