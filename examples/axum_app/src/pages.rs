//! The pages. `maud` escapes every value that it puts into a page.

use jiff::Timestamp;
use maud::{DOCTYPE, Markup, html};
use workos_auth::OrganizationId;
use workos_auth::SignedIn;
use workos_auth::api::OrganizationMembership;
use workos_auth::token::Membership;

use crate::demo;

const NAME: &str = "Lighthouse";
const NAVIGATION: [(&str, &str); 4] =
    [("/", "Home"), ("/account", "Account"), ("/organizations", "Organizations"), ("/billing", "Billing")];

/// Who sees a page.
#[derive(Clone, Copy)]
pub(crate) enum Visitor<'a> {
    SignedIn(&'a SignedIn),
    SignedOut,
    /// Nobody has asked: the page offers neither to sign in nor to sign out.
    Unknown,
}

/// What is the same on every page.
pub(crate) fn page(title: &str, path: &str, visitor: Visitor<'_>, content: Markup) -> Markup {
    let user = if let Visitor::SignedIn(user) = visitor { Some(user) } else { None };
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " – " (NAME) }
                link rel="stylesheet" href="/style.css";
                link rel="icon" type="image/svg+xml" href="/icon.svg";
            }
            body {
                a.skip href="#content" { "Skip to the content" }
                @if let Some((user, administrator)) = user.and_then(|user| Some((user, user.impersonator()?))) {
                    aside.note aria-label="Impersonation" {
                        p.width {
                            strong { (administrator) } " is signed in as " (user.user().email) ". Whatever is done here is done in that user’s name."
                        }
                    }
                }
                header.top {
                    div.width {
                        a.brand href="/" { img src="/icon.svg" alt=""; (NAME) }
                        nav aria-label="Main" {
                            ul {
                                @for (target, name) in NAVIGATION {
                                    li { a href=(target) aria-current=[(target == path).then_some("page")] { (name) } }
                                }
                            }
                        }
                        @match visitor {
                            Visitor::SignedIn(user) => div.who {
                                span { (user.user().email) }
                                form method="post" action="/logout" { button.quiet { "Sign out" } }
                            },
                            Visitor::SignedOut => div.who { a.button href="/login?return_to=/account" { "Sign in" } },
                            Visitor::Unknown => {},
                        }
                    }
                }
                main.width #content tabindex="-1" { (content) }
                footer.bottom {
                    div.width { p { "An example application of " code { "workos-auth" } ". It needs no script." } }
                }
            }
        }
    }
}

pub(crate) fn home(visitor: Option<&SignedIn>, for_trying: bool) -> Markup {
    let content = html! {
        h1 { "A web application that signs its users in with WorkOS" }
        @if let Some(user) = visitor {
            p.lead { "You are signed in as " (name(user)) "." }
            div.actions { a.button href="/account" { "Go to your account" } }
        } @else {
            p.lead { "This page is for everybody. The others ask you to sign in first, and then bring you to the page that you wanted." }
            div.actions { a.button href="/login?return_to=/account" { "Sign in" } }
        }
        @if for_trying {
            section.card aria-labelledby="people" {
                h2 #people { "Who can sign in here" }
                p { "You need no account: this program itself serves the sign-in page, for these people." }
                ul.list {
                    @for person in demo::people() {
                        li { div { strong { (person.email) } small { (person.about) } } }
                    }
                }
            }
        }
    };
    page("Home", "/", visitor.map_or(Visitor::SignedOut, Visitor::SignedIn), content)
}

pub(crate) fn account(user: &SignedIn) -> Markup {
    let organization = user.token().active_organization();
    let content = html! {
        h1 { "Your account" }
        p.lead { "What the application knows about you." }
        section.card aria-labelledby="you" {
            h2 #you { "You" }
            dl {
                dt { "Name" } dd #name { (name(user)) }
                dt { "E-mail" }
                dd #email {
                    (user.user().email)
                    @if !user.user().email_verified { " (not verified)" }
                }
                dt { "User ID" } dd { code { (user.user().id) } }
            }
        }
        section.card aria-labelledby="session" {
            h2 #session { "This session" }
            dl {
                dt { "Signed in with" }
                dd #method { @if let Some(method) = user.authentication_method() { (method.as_str()) } @else { "not known" } }
                @if let Some(administrator) = user.impersonator() {
                    dt { "Impersonated by" } dd #impersonator { (administrator) }
                }
                dt { "Organization" }
                dd #organization {
                    @if let Some(id) = user.organization_id() { code { (id) } } @else { "none" }
                }
                dt { "Roles" }
                dd #roles { (tags(organization.iter().flat_map(Membership::roles))) }
                dt { "Permissions" }
                dd #permissions { (tags(organization.iter().flat_map(Membership::permissions))) }
                dt { "Renewed after" }
                dd #expiry { (time(user.token().expires_at())) }
            }
        }
        div.actions {
            a.button.quiet href="/organizations" { "Switch organization" }
            form method="post" action="/logout" { button { "Sign out" } }
        }
    };
    page("Your account", "/account", Visitor::SignedIn(user), content)
}

pub(crate) fn organizations(user: &SignedIn, memberships: &[OrganizationMembership]) -> Markup {
    let active = |id: &OrganizationId| user.organization_id() == Some(id);
    let content = html! {
        h1 { "Your organizations" }
        p.lead { "Roles and permissions are those of the organization that you work in at the moment." }
        section.card aria-label="Organizations" {
            @if memberships.is_empty() { p { "You are a member of no organization." } }
            @else {
                ul.list {
                    @for membership in memberships {
                        @let id = &membership.organization_id;
                        @let name = membership.organization_name.as_deref().unwrap_or(id.as_str());
                        li {
                            div { strong { (name) } small { "Role: " (membership.role.slug) } }
                            @if active(id) { span.tag.good { "Active" } }
                            @else {
                                form method="post" action="/switch-organization" {
                                    input type="hidden" name="return_to" value="/account";
                                    button.quiet name="organization_id" value=(id) aria-label={ "Switch to " (name) } { "Switch" }
                                }
                            }
                        }
                    }
                }
            }
        }
    };
    page("Your organizations", "/organizations", Visitor::SignedIn(user), content)
}

pub(crate) fn billing(user: &SignedIn, organization: &OrganizationId) -> Markup {
    let content = html! {
        h1 { "Billing" }
        p.lead { "You see this page because you have the permission " code { "billing:manage" } " in " code { (organization) } "." }
        section.card aria-labelledby="plan" {
            h2 #plan { "Plan" }
            dl {
                dt { "Plan" } dd { "Harbour, 12 seats" }
                dt { "Next invoice" } dd { "€ 240.00 on 1 January" }
            }
        }
    };
    page("Billing", "/billing", Visitor::SignedIn(user), content)
}

fn tags<'a>(names: impl Iterator<Item = &'a str>) -> Markup {
    let mut names = names.peekable();
    html! {
        @if names.peek().is_none() { "none" }
        @else { ul.tags { @for name in names { li.tag { (name) } } } }
    }
}

fn time(at: Timestamp) -> Markup {
    html! { time datetime=(at) { (at.strftime("%-d %B %Y, %H:%M:%S UTC")) } }
}

fn name(user: &SignedIn) -> &str {
    let user = user.user();
    user.name.as_deref().or(user.first_name.as_deref()).unwrap_or(&user.email)
}
