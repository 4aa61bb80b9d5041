//! The pages of the AuthKit, as HTML. `Browser` reads the attributes `data-page` and `data-problem`, and the names and values of
//! the fields.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use http::header::{CONTENT_SECURITY_POLICY, HeaderValue, REFERRER_POLICY};

use super::reply::{Reply, reply};
use super::user::TestUser;
use crate::wire;

const STYLE: &str = "\
:root{color-scheme:light dark;--back:#f4f5f7;--card:#fff;--text:#1c2024;--soft:#5a6169;--line:#8b939c;\
--main:#3b47c4;--on-main:#fff;--hover:#eef0fb;--bad:#a8211b;--bad-back:#fdeeed}\
@media(prefers-color-scheme:dark){:root{--back:#121417;--card:#1c1f24;--text:#eceef1;--soft:#a9b0b8;--line:#737b85;\
--main:#a3adff;--on-main:#12153a;--hover:#272b3d;--bad:#ffb4ae;--bad-back:#3c1c1b}}\
*{box-sizing:border-box}\
body{margin:0;min-height:100vh;padding:1.5rem 1rem;background:var(--back);color:var(--text);\
font:1rem/1.5 system-ui,sans-serif}\
main{max-width:26rem;margin:4vh auto 0;padding:1.75rem;background:var(--card);border-radius:.75rem;\
box-shadow:0 1px 3px rgb(0 0 0/.25);overflow-wrap:anywhere}\
h1{margin:0 0 1rem;font-size:1.5rem;line-height:1.25}h2{margin:1.75rem 0 .5rem;font-size:1rem}\
p{margin:0 0 1rem}label{display:block;margin-bottom:.25rem;font-weight:600}form{margin:0}\
input,button{width:100%;min-height:2.75rem;padding:.5rem .75rem;border:1px solid var(--line);border-radius:.5rem;\
background:var(--card);color:var(--text);font:inherit}\
input.code{font-size:1.25rem;letter-spacing:.15em}\
button{margin-top:.75rem;cursor:pointer}button:hover{background:var(--hover)}\
button.main{border-color:var(--main);background:var(--main);color:var(--on-main);font-weight:600}\
button.main:hover{filter:brightness(1.1)}\
:focus-visible{outline:3px solid var(--main);outline-offset:2px}\
ul{margin:0;padding:0;list-style:none}li button{margin-top:.5rem;text-align:left}\
li strong,li span{display:block}li span,footer,.note{color:var(--soft);font-size:.875rem}\
.problem{padding:.625rem .75rem;border-left:4px solid var(--bad);background:var(--bad-back);color:var(--bad)}\
.note{margin:1.5rem 0 0}code{font-size:1rem;color:var(--text)}\
footer{max-width:26rem;margin:1rem auto;text-align:center}";

/// A page, not yet escaped into a reply.
pub(super) struct Page {
    status: StatusCode,
    /// What kind of page it is, for `Browser`.
    name: &'static str,
    title: String,
    problem: Option<Problem>,
    content: String,
}

/// What was wrong with the form before.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Problem {
    UnknownUser,
    NotMember,
    WrongCode,
    UnknownDevice,
}

/// Which code a page asks for.
pub(super) enum Ask {
    Email,
    Totp,
    /// With the key of the factor, for an authenticator app.
    FirstTotp {
        key: String,
    },
}

impl Problem {
    fn name(self) -> &'static str {
        match self {
            Self::UnknownUser => "unknown-user",
            Self::NotMember => "not-member",
            Self::WrongCode => "wrong-code",
            Self::UnknownDevice => "unknown-device",
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::UnknownUser => "There is no user with this address.",
            Self::NotMember => "This user isn't a member of the organization that the application asks for.",
            Self::WrongCode => "This code is wrong, has expired or was used before.",
            Self::UnknownDevice => "No device waits with this code. It may have expired.",
        }
    }
}

/// The page that asks for the user's address.
pub(super) fn sign_in<'a>(
    transaction: &str,
    email: &str,
    users: impl Iterator<Item = &'a TestUser>,
    problem: Option<Problem>,
) -> Page {
    let (transaction, email) = (hidden(transaction), escape(email));
    let invalid = described(problem);
    let users: String = users.map(user_button).collect();
    let content = format!(
        "<form method=\"post\" action=\"/sign-in\">\n{transaction}\
         <label for=\"email\">E-mail address</label>\n\
         <input id=\"email\" type=\"email\" name=\"email\" required autofocus autocomplete=\"username\"{invalid} \
         value=\"{email}\">\n\
         <button class=\"main\" name=\"action\" value=\"sign-in\">Sign in</button>\n</form>\n\
         <form method=\"post\" action=\"/sign-in\" aria-labelledby=\"users\">\n{transaction}\
         <h2 id=\"users\">Or sign in as</h2>\n<ul>\n{users}</ul>\n</form>\n{cancel}",
        cancel = cancel(&transaction)
    );
    Page::new("sign-in", "Sign in", problem, content)
}

fn user_button(user: &TestUser) -> String {
    let email = escape(user.email());
    let name = user.full_name().map_or_else(|| email.clone(), |name| escape(&name));
    let address = user.full_name().map(|_| format!("<span>{email}</span>")).unwrap_or_default();
    let description = escape(&user.description());
    let description = if description.is_empty() { description } else { format!("<span>{description}</span>") };
    format!(
        "<li><button name=\"email\" value=\"{email}\"><strong>{name}</strong>{address}{description}</button></li>\n"
    )
}

/// The page that asks for a code. It shows the code too, since nobody has the mailbox or the authenticator app of a test user.
pub(super) fn code(transaction: &str, user: &TestUser, ask: Ask, code: &str, problem: Option<Problem>) -> Page {
    let (transaction, email) = (hidden(transaction), escape(user.email()));
    let (name, title, text, place) = match &ask {
        Ask::Email => (
            "email-code",
            "Check your e-mail",
            format!("Enter the code that was sent to {email}."),
            "the e-mail brings",
        ),
        Ask::Totp => (
            "second-factor",
            "Second factor",
            format!("Enter the code that the authenticator app of {email} shows."),
            "the authenticator app shows",
        ),
        Ask::FirstTotp { key } => (
            "second-factor",
            "Set up a second factor",
            format!(
                "Add this key to the authenticator app of {email}: <code>{}</code>. Then enter the code that it shows.",
                escape(key)
            ),
            "the authenticator app shows",
        ),
    };
    let (code, invalid) = (escape(code), described(problem));
    let content = format!(
        "<p>{text}</p>\n<form method=\"post\" action=\"/sign-in\">\n{transaction}\
         <label for=\"code\">Code</label>\n\
         <input id=\"code\" class=\"code\" name=\"code\" required autofocus inputmode=\"numeric\" \
         autocomplete=\"one-time-code\" maxlength=\"6\"{invalid}>\n\
         <button class=\"main\" name=\"action\" value=\"verify\">Continue</button>\n</form>\n{cancel}\
         <p class=\"note\">For a try by hand: {place} <code>{code}</code> now.</p>\n",
        cancel = cancel(&transaction)
    );
    Page::new(name, title, problem, content)
}

/// The page where a device login is approved.
pub(super) fn device(user_code: &str, problem: Option<Problem>) -> Page {
    let (code, invalid) = (escape(user_code), described(problem));
    let content = format!(
        "<p>A device wants to sign in. Go on only if it shows this code.</p>\n\
         <form method=\"post\" action=\"/device\">\n<label for=\"user_code\">Code of the device</label>\n\
         <input id=\"user_code\" class=\"code\" required autofocus autocapitalize=\"characters\" autocomplete=\"off\" \
         spellcheck=\"false\"{invalid} name=\"user_code\" value=\"{code}\">\n\
         <button class=\"main\" name=\"action\" value=\"approve\">Continue</button>\n\
         <button name=\"action\" value=\"deny\">Deny</button>\n</form>\n"
    );
    Page::new("device", "Sign in on a device", problem, content)
}

/// A page that only says something.
pub(super) fn message(status: StatusCode, title: &str, text: &str) -> Page {
    Page { status, ..Page::new("message", title, None, format!("<p class=\"message\">{}</p>\n", escape(text))) }
}

impl Page {
    fn new(name: &'static str, title: &str, problem: Option<Problem>, content: String) -> Self {
        let status = if problem.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
        Self { status, name, title: title.to_owned(), problem, content }
    }

    pub(super) fn reply(&self) -> Reply {
        let (name, title, content) = (self.name, escape(&self.title), &self.content);
        let (mark, text, prefix) = match self.problem {
            Some(problem) => (
                format!(" data-problem=\"{}\"", problem.name()),
                format!("<p id=\"problem\" class=\"problem\" role=\"alert\">{}</p>\n", problem.text()),
                "Error: ",
            ),
            None => (String::new(), String::new(), ""),
        };
        let html = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{prefix}{title} – AuthKit for tests</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
             <main data-page=\"{name}\"{mark}>\n<h1>{title}</h1>\n{text}{content}</main>\n\
             <footer>An AuthKit for tests. No real account is behind it.</footer>\n</body>\n</html>\n"
        );
        let mut reply = reply(self.status, "text/html; charset=utf-8", html);
        // No `form-action`: browsers apply it to the redirect back to the application too.
        let style = STANDARD.encode(wire::sha256(STYLE));
        let policy = format!("default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; frame-ancestors 'none'");
        let headers = reply.headers_mut();
        headers.extend(HeaderValue::try_from(policy).ok().map(|policy| (CONTENT_SECURITY_POLICY, policy)));
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        reply
    }
}

fn hidden(transaction: &str) -> String {
    format!("<input type=\"hidden\" name=\"transaction\" value=\"{}\">\n", escape(transaction))
}

/// A form of its own, so that the enter key never cancels.
fn cancel(transaction: &str) -> String {
    format!(
        "<form method=\"post\" action=\"/sign-in\">\n{transaction}<button name=\"action\" value=\"cancel\">Cancel</button>\n\
         </form>\n"
    )
}

/// The attributes of a field that was wrong.
fn described(problem: Option<Problem>) -> &'static str {
    if problem.is_some() { " aria-invalid=\"true\" aria-describedby=\"problem\"" } else { "" }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}
