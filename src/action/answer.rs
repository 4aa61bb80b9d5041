//! Signed answers.

use std::sync::Arc;

use http::Response;
use http::header::{CONTENT_TYPE, HeaderValue};
use serde_json::Value;

use crate::runtime::Clock;
use crate::secret::ActionSecret;
use crate::signature::signature;

/// Signs an answer with the secret that the request was signed with.
#[derive(Clone, Debug)]
pub(super) struct Signer {
    pub(super) secret: ActionSecret,
    pub(super) clock: Arc<dyn Clock>,
}

impl Signer {
    pub(super) fn answer(self, object: &'static str, verdict: Verdict) -> ActionAnswer {
        ActionAnswer { signer: self, object, verdict }
    }
}

/// The answer to an Action. It can't be given to another Action, and another kind of Action has another answer.
#[derive(Debug)]
#[must_use = "WorkOS waits for it: return it from the handler, or send `into_response()`"]
pub struct ActionAnswer {
    signer: Signer,
    object: &'static str,
    verdict: Verdict,
}

#[derive(Debug)]
pub(super) enum Verdict {
    Allow,
    Deny { message: String },
}

impl ActionAnswer {
    /// Whether it allows what was asked.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        matches!(self.verdict, Verdict::Allow)
    }

    /// The response to WorkOS: 200, signed at this moment. Its bytes must arrive as they are.
    #[must_use]
    pub fn into_response(self) -> Response<String> {
        let time = self.signer.clock.now().as_millisecond();
        // In the order and with the escapes of `JSON.stringify`, which the signature is about.
        let payload = match &self.verdict {
            Verdict::Allow => format!(r#"{{"timestamp":{time},"verdict":"Allow"}}"#),
            Verdict::Deny { message } if message.is_empty() => format!(r#"{{"timestamp":{time},"verdict":"Deny"}}"#),
            Verdict::Deny { message } => {
                let message = Value::from(message.as_str());
                format!(r#"{{"timestamp":{time},"verdict":"Deny","error_message":{message}}}"#)
            }
        };
        let signature = signature(&self.signer.secret, time, payload.as_bytes());
        let object = self.object;
        let body = format!(r#"{{"object":"{object}","payload":{payload},"signature":"{signature}"}}"#);
        let mut response = Response::new(body);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }
}

impl From<ActionAnswer> for Response<String> {
    fn from(answer: ActionAnswer) -> Self {
        answer.into_response()
    }
}
