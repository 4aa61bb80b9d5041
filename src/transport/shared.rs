//! What the clones of a client share, one value for each type.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// A value for each type that asks for one. So the client needs to know neither the sessions nor the keys that are kept for it.
#[derive(Default)]
pub(crate) struct Shared(Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>);

impl Shared {
    /// The value of this type, made at the first call.
    pub(crate) fn get<T: Default + Send + Sync + 'static>(&self) -> Arc<T> {
        let mut values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let value = values.entry(TypeId::of::<T>()).or_insert_with(|| Arc::<T>::default());
        // The key is the type, so this is never another one.
        Arc::clone(value).downcast().unwrap_or_default()
    }
}
