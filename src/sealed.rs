//! The argument that keeps the methods of sealed traits inside this crate.
//!
//! A generic function outside can call every method of a trait in its bounds, also those of a supertrait that it can't name.
//! So each such method takes an [`Internal`], which safe code outside this crate can't make.

/// Only this crate can make one.
#[derive(Clone, Copy, Debug)]
pub struct Internal {
    _private: (),
}

/// Shows that a call comes from this crate.
pub(crate) const INTERNAL: Internal = Internal { _private: () };
