//! What keeps the methods of sealed traits inside this crate.
//!
//! A generic function outside can call every method of a trait that is in its bounds, also of a supertrait that it can't name.
//! So each such method takes an [`Internal`], which nobody outside can make.

/// Only this crate has one.
#[derive(Clone, Copy, Debug)]
pub struct Internal {
    _private: (),
}

/// The proof that a call comes from inside this crate.
pub(crate) const INTERNAL: Internal = Internal { _private: () };
